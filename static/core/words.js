// The words scripts say, translated by the server (apps/web/strings.py), and numbers the way the reader writes them.

const block = document.getElementById("strings");
const words = block ? JSON.parse(block.textContent) : {};
const locale = document.documentElement.lang || "en";
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

export const number = (value) => numbers.format(value);

/** `t("tokens", {count: 3})`: values fill `%(name)s`; `count` chooses the plural. */
export function t(key, values = {}) {
  const found = words[key] ?? key;
  const text = typeof found === "string" ? found : (found[plurals.select(values.count)] ?? found.other);
  return text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? shown(values[name]) : whole));
}

const shown = (value) => (typeof value === "number" ? number(value) : String(value));

const oneDecimal = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const seconds = (milliseconds) => t("seconds", { seconds: oneDecimal.format(milliseconds / 1000) });

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** Counted by 1,024, as the server counts and as the limits are. */
export function bytes(size) {
  const step = Math.min(Math.floor(Math.log2(Math.max(size, 1)) / 10), UNITS.length - 1);
  const format = { style: "unit", unit: UNITS[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: step > 1 ? 1 : 0 };
  return new Intl.NumberFormat(locale, format).format(size / 1024 ** step);
}

export function clock(date = new Date()) {
  const timeZone = document.documentElement.dataset.timeZone || undefined;
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone }).format(date);
}

/** A moment to come: with its day unless that is today. */
export function dayClock(moment) {
  const date = new Date(moment);
  const timeZone = document.documentElement.dataset.timeZone || undefined;
  const day = (each) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone }).format(each);
  return day(date) === day(new Date()) ? clock(date) : `${day(date)}, ${clock(date)}`;
}

export const list = (names) => new Intl.ListFormat(locale).format(names);
