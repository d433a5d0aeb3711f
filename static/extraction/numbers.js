const GROUPED = /^([+-]?)([1-9]\d{0,2}([.,'’\u00a0\u202f ])\d{3}(?:\3\d{3})*)([.,]\d+)?$/;
const PLAIN = /^[+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?$/i;

/**
 * What somebody typed as a number, null when it is none: `1,500` is 1500 to an English reader and 1.5 to a German one, and of a whole
 * number what parts three digits only groups. `pages/values.py` says the same for tables and forms.
 */
export function numberOf(text, { isWhole = false, language = document.documentElement.lang } = {}) {
  const said = text.trim().replace("−", "-");
  const [, sign, body, group, fraction] = GROUPED.exec(said) ?? [];
  if (body && (isWhole || fraction || groups(body, group, language))) {
    return Number(sign + body.replaceAll(group, "") + (fraction ?? "").replace(",", "."));
  }
  return PLAIN.test(said) ? Number(said.replace(",", ".")) : null;
}

function groups(body, group, language) {
  const isOne = body.split(group).length === 2;
  return !isOne || !".,".includes(group) || (group === ",") !== language.startsWith("de");
}
