/** Made by `build/countries.ts`. */
declare module "virtual:world-map" {
  const map: {
    width: number;
    height: number;
    shapes: { code: string | null; path: string }[];
    dots: { code: string; x: number; y: number }[];
  };
  export default map;
}

declare module "virtual:country-codes" {
  /** Two letters each, one after the other. */
  const codes: string;
  export default codes;
}
