import { join } from "node:path";
import { Play } from "./server";

/** Plays the API for who works on the page: `npm run play`. */
const play = await Play.start(join(process.cwd(), "dist"), Number(process.env["PORT"] ?? 8080));
console.log(`the played dashboard: ${play.url}`);
setInterval(() => play.advance(), 1000);
