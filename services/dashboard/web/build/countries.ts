import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { geoNaturalEarth1, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import type { Plugin } from "vite";

/**
 * Makes two modules while building, so that neither map data nor a projection has to run in the browser:
 *
 * - `virtual:world-map`: the world's countries as SVG paths, already projected, and a dot for each country that is too
 *   small for the coarse map;
 * - `virtual:country-codes`: all ISO 3166-1 alpha-2 codes, in one string.
 */
export function countries(): Plugin {
  return {
    name: "storepulse-countries",
    resolveId: (id) => (id === MAP || id === CODES ? `\0${id}` : null),
    load(id) {
      if (id === `\0${MAP}`) return `export default ${JSON.stringify(worldMap())};`;
      if (id === `\0${CODES}`) return `export default ${JSON.stringify(Object.values(alpha2()).sort().join(""))};`;
      return null;
    },
  };
}

const MAP = "virtual:world-map";
const CODES = "virtual:country-codes";
const WIDTH = 960;
const HEIGHT = 440;
/** Antarctica has no shoppers and takes a fifth of the map. */
const LEFT_OUT = new Set(["AQ"]);

const require = createRequire(import.meta.url);

function json(module: string): unknown {
  return JSON.parse(readFileSync(require.resolve(module), "utf8"));
}

/** From ISO 3166-1 numeric, which the map has, to alpha-2, which events have. */
function alpha2(): Record<string, string> {
  const rows = json("i18n-iso-countries/codes.json") as [string, string, string][];
  return Object.fromEntries(rows.filter(([two]) => two !== "XK").map(([two, , numeric]) => [numeric, two]));
}

function features(resolution: "110m" | "50m") {
  const topology = json(`world-atlas/countries-${resolution}.json`) as Topology<{ countries: GeometryCollection }>;
  return feature(topology, topology.objects.countries).features;
}

function worldMap() {
  const codes = alpha2();
  const code = (id: string | number | undefined) => (id === undefined ? null : (codes[String(id).padStart(3, "0")] ?? null));
  const coarse = features("110m").filter((country) => !LEFT_OUT.has(code(country.id) ?? ""));
  const projection = geoNaturalEarth1().fitSize([WIDTH, HEIGHT], { type: "FeatureCollection", features: coarse });
  const path = geoPath(projection).digits(1);

  const shapes = coarse.map((country) => ({ code: code(country.id), path: path(country) ?? "" }));
  const drawn = new Set(shapes.map((shape) => shape.code));
  const dots = features("50m").flatMap((country) => {
    const id = code(country.id);
    if (id === null || drawn.has(id) || LEFT_OUT.has(id)) return [];
    const [x, y] = path.centroid(country);
    return Number.isFinite(x) && x > 0 && x < WIDTH && y > 0 && y < HEIGHT
      ? [{ code: id, x: Math.round(x), y: Math.round(y) }]
      : [];
  });
  return { width: WIDTH, height: HEIGHT, shapes, dots };
}
