/** How figures, money and times are written. All of it is plain text in English, and UTC. */

const LOCALE = "en-GB";
export const NONE = "–";
/** Between a number and its unit: they stay on one line. */
const SPACE = "\u00a0";

/** What of `Meta` money needs. */
export interface Currency {
  currency: string;
  currency_exponent: number;
}

/** Minor units as a decimal, exactly: 32980792 is "329807.92". */
export function decimal(minor: number, exponent: number): string {
  const digits = Math.abs(minor).toFixed(0).padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = digits.slice(digits.length - exponent);
  return `${minor < 0 ? "-" : ""}${whole}${exponent > 0 ? `.${fraction}` : ""}`;
}

const formats = new Map<string, Intl.NumberFormat>();

function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(LOCALE, options);
    formats.set(key, format);
  }
  return format;
}

/** An exact amount with the currency's symbol: "$329,807.92". */
export function money(minor: number | null, { currency, currency_exponent: exponent }: Currency): string {
  if (minor === null) return NONE;
  const format = numberFormat({
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: exponent,
    maximumFractionDigits: exponent,
  });
  return format.format(decimal(minor, exponent) as Intl.StringNumericLiteral);
}

/** An amount in few characters, for axes and legends: "$12.3K". */
export function moneyShort(minor: number, { currency, currency_exponent: exponent }: Currency): string {
  return numberFormat({
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    notation: "compact",
    minimumFractionDigits: 0,
    maximumFractionDigits: Math.abs(minor) < 10 ** (exponent + 1) ? 2 : 1,
  }).format(minor / 10 ** exponent);
}

/** An exact amount with the currency's code: "329,807.92 USD". */
export function moneyExact(minor: number | null, { currency, currency_exponent: exponent }: Currency): string {
  if (minor === null) return "no figure";
  const format = numberFormat({ minimumFractionDigits: exponent, maximumFractionDigits: exponent });
  return `${format.format(decimal(minor, exponent) as Intl.StringNumericLiteral)} ${currency}`;
}

/** A whole number with separators. */
export function count(value: number | null): string {
  return value === null ? NONE : numberFormat({ maximumFractionDigits: 0 }).format(value);
}

/** A whole number in few characters, for axes. */
export function countShort(value: number): string {
  return numberFormat({ notation: "compact", maximumFractionDigits: 1 }).format(value);
}

/** A number with at most so many decimals. */
export function number(value: number | null, digits = 2): string {
  return value === null ? NONE : numberFormat({ maximumFractionDigits: digits }).format(value);
}

/** A share between 0 and 1 as per cent: "12.3 %". */
export function percent(share: number | null, digits = 1): string {
  if (share === null) return NONE;
  return `${numberFormat({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share * 100)}${SPACE}%`;
}

/** A change as per cent with its sign: "+12.3 %", "−4.0 %". */
export function signedPercent(share: number, digits = 1): string {
  const text = percent(Math.abs(share), digits);
  return share < 0 ? `−${text}` : `+${text}`;
}

/** A duration in its two largest units: "340 ms", "1.2 s", "3 min 20 s", "2 h 5 min", "1 d 4 h". */
export function duration(seconds: number | null): string {
  if (seconds === null) return NONE;
  if (seconds === 0) return `0${SPACE}s`;
  if (seconds < 0.9995) return `${number(seconds * 1000, seconds < 0.01 ? 1 : 0)}${SPACE}ms`;
  if (seconds < 59.95) return `${number(seconds, seconds < 9.95 ? 1 : 0)}${SPACE}s`;
  const whole = Math.round(seconds);
  const units: [string, number, number][] = [["d", 86400, 3600], ["h", 3600, 60], ["min", 60, 1]];
  const below = { d: "h", h: "min", min: "s" } as Record<string, string>;
  for (const [unit, size, rest] of units) {
    if (whole < size) continue;
    const more = Math.floor((whole % size) / rest);
    const large = `${Math.floor(whole / size)}${SPACE}${unit}`;
    return more === 0 ? large : `${large} ${more}${SPACE}${below[unit]}`;
  }
  return `${whole}${SPACE}s`;
}

/** How long ago something was, in whole units: "just now", "12 s ago". */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  return seconds === 0 ? "just now" : `${duration(seconds)} ago`;
}

/** "19:35:12 UTC" of a point in time. */
export function clock(time: string | null): string {
  const at = time === null ? null : parts(time);
  return at === null ? NONE : `${at.slice(11, 19)} UTC`;
}

/** "19:35" of a point in time. */
export function hourMinute(time: string): string {
  return parts(time)?.slice(11, 16) ?? NONE;
}

/** "26 Nov 2026, 19:35:12 UTC". */
export function moment(time: string | null): string {
  const at = time === null ? null : parts(time);
  return at === null ? NONE : `${dayText(at.slice(0, 10))}, ${at.slice(11, 19)} UTC`;
}

function parts(time: string): string | null {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** "26 Nov 2026" of "2026-11-26"; what is no day stays as it is. */
export function dayText(day: string): string {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  const month = MONTHS[Number(match?.[2]) - 1];
  return match === null || month === undefined ? day : `${Number(match[3])} ${month} ${match[1]}`;
}

/** "Thu 26 Nov" of "2026-11-26". */
export function dayShort(day: string): string {
  const at = new Date(`${day}T00:00:00Z`);
  const weekday = WEEKDAYS[at.getUTCDay()];
  return weekday === undefined ? day : `${weekday} ${dayText(day).split(" ").slice(0, 2).join(" ")}`;
}

/** "19:00" of an hour's id "2026-11-26T19". */
export function hourText(hour: string): string {
  const match = /T(\d{2})/.exec(hour);
  return match === null ? hour : `${match[1]}:00`;
}

let regions: Intl.DisplayNames | undefined;

/** A country's name in English; of what is no country, its code. */
export function countryName(code: string): string {
  try {
    regions ??= new Intl.DisplayNames("en", { type: "region", fallback: "code" });
    return regions.of(code) ?? code;
  } catch {
    return code;
  }
}

/** "1 order", "2 orders". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
