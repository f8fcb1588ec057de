import { render } from "preact";
import "./styles/base.css";
import "./styles/header.css";
import "./styles/parts.css";
import "./styles/views.css";
import "./state/theme";
import { App } from "./app";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
