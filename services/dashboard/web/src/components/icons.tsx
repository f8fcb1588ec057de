/** Small pictures. They repeat what is said in words next to them, so they are hidden from who listens. */

const PATHS = {
  good: "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM5 8.2l2.1 2.1L11 6.1",
  warn: "M8 2 14.7 13.8H1.3ZM8 6.3v3.6M8 11.6v.3",
  bad: "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3ZM5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6",
  quiet: "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM6.2 6.3a1.9 1.9 0 1 1 2.6 1.8c-.5.2-.8.6-.8 1.2M8 11.3v.3",
  live: "M3.5 12.5a6.4 6.4 0 0 1 0-9M12.5 3.5a6.4 6.4 0 0 1 0 9M5.7 10.3a3.2 3.2 0 0 1 0-4.6M10.3 5.7a3.2 3.2 0 0 1 0 4.6M8 8v.1",
  retry: "M13.5 8A5.5 5.5 0 1 1 11.6 3.8M13.8 1.8v3.4h-3.4",
  pause: "M5.5 3v10M10.5 3v10",
  sun: "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6ZM8 1v1.4M8 13.6V15M1 8h1.4M13.6 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1Z",
  download: "M8 2v8M4.7 7 8 10.3 11.3 7M2.5 13.5h11",
  up: "M8 13V3.5M4 7.3l4-4 4 4",
  down: "M8 3v9.5M4 8.7l4 4 4-4",
  started: "M6 3.5 12 8l-6 4.5Z",
  category_viewed: "M2.5 2.5h4.4v4.4H2.5ZM9.1 2.5h4.4v4.4H9.1ZM2.5 9.1h4.4v4.4H2.5ZM9.1 9.1h4.4v4.4H9.1Z",
  product_viewed: "M1.2 8S3.6 3.7 8 3.7 14.8 8 14.8 8 12.4 12.3 8 12.3 1.2 8 1.2 8ZM8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Z",
  added_to_cart: "M8 3v10M3 8h10",
  removed_from_cart: "M3 8h10",
  purchase: "M2.5 5.5h11l-1 8.5h-9ZM5.4 7.5V4.6a2.6 2.6 0 0 1 5.2 0v2.9",
  ended: "M3.5 3.5h9v9h-9Z",
  empty: "M2 9.5 4.2 3h7.6L14 9.5v4H2ZM2 9.5h3.5l1 1.8h3l1-1.8H14",
  lock: "M3.5 7h9v7h-9ZM5.3 7V4.7a2.7 2.7 0 0 1 5.4 0V7",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width={size} height={size} aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
