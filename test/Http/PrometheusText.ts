/**
 * A strict reader of the Prometheus text format 0.0.4: it throws at anything that the format does not allow, and at a
 * histogram that does not add up. Scrapers of several makers differ in what they forgive.
 */

/** One series: its labels, and its value. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The metrics of one name. */
export interface Family {
  readonly name: string
  readonly help: string | undefined
  readonly type: string
  readonly series: ReadonlyArray<Series>
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const types = ["counter", "gauge", "histogram", "summary", "untyped"]
const suffixes: Readonly<Record<string, ReadonlyArray<string>>> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"]
}

const fail = (what: string, line: string): never => {
  throw new Error(`${what}: ${line}`)
}

const numberOf = (text: string, line: string): number => {
  if (text === "+Inf" || text === "Inf") return Number.POSITIVE_INFINITY
  if (text === "-Inf") return Number.NEGATIVE_INFINITY
  if (text === "NaN") return Number.NaN
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) fail("not a number", line)
  return Number(text)
}

/** Reads `name{label="value",…} value`, character by character: a label's value may hold any of these signs. */
const seriesOf = (line: string): Series => {
  const [, name = ""] = /^([^{ ]+)/.exec(line) ?? fail("no name", line)
  if (!metricName.test(name)) fail("not a name of a metric", line)
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === "{") {
    at += 1
    while (line[at] !== "}") {
      const equals = line.indexOf("=", at)
      const label = line.slice(at, equals)
      if (equals < 0 || !labelName.test(label)) fail("not a name of a label", line)
      if (Object.hasOwn(labels, label)) fail("a label twice", line)
      if (line[equals + 1] !== '"') fail("a label without quotes", line)
      let value = ""
      for (at = equals + 2; line[at] !== '"'; at++) {
        if (at >= line.length) fail("a label without its end", line)
        if (line[at] !== "\\") {
          value += line[at]
          continue
        }
        at += 1
        const escaped = { "\\": "\\", '"': '"', n: "\n" }[line[at] ?? ""]
        value += escaped ?? fail("an escape that is none", line)
      }
      labels[label] = value
      at += 1
      if (line[at] === ",") at += 1
      else if (line[at] !== "}") fail("labels that no comma parts", line)
    }
    at += 1
  }
  const [, text = ""] = /^ (\S+)( -?\d+)?$/.exec(line.slice(at)) ?? fail("no value", line)
  return { name, labels, value: numberOf(text, line) }
}

const keyOf = ({ labels, name }: Series): string =>
  JSON.stringify([name, Object.entries(labels).toSorted(([left], [right]) => (left < right ? -1 : 1))])

/** For each combination of the other labels: ascending bounds, counts that never fall, +Inf as the count, and a sum. */
const checkHistogram = ({ name, series }: Family): void => {
  const groups = new Map<string, Array<Series>>()
  for (const each of series) {
    const { le: _, ...labels } = each.labels
    const key = keyOf({ ...each, name, labels })
    groups.set(key, [...(groups.get(key) ?? []), each])
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((each) => each.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => numberOf(labels.le ?? fail("a bucket without le", key), key))
    for (let at = 1; at < buckets.length; at++) {
      if (!(bounds[at - 1]! < bounds[at]!)) fail("bounds that do not ascend", key)
      if (buckets[at - 1]!.value > buckets[at]!.value) fail("counts that fall", key)
    }
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) fail("no bucket +Inf at the end", key)
    const count = group.find((each) => each.name === `${name}_count`) ?? fail("no count", key)
    if (buckets.at(-1)!.value !== count.value) fail("+Inf is not the count", key)
    if (!group.some((each) => each.name === `${name}_sum`)) fail("no sum", key)
  }
}

/** Reads a whole answer. Throws at the first line that is wrong. */
export const readMetrics = (text: string): ReadonlyMap<string, Family> => {
  if (text !== "" && !text.endsWith("\n")) fail("the last line has no end", text.slice(-80))
  const families = new Map<string, Family & { readonly series: Array<Series> }>()
  const seen = new Set<string>()
  let help: { readonly name: string; readonly text: string } | undefined
  let current: (Family & { readonly series: Array<Series> }) | undefined
  for (const line of text.split("\n").slice(0, -1)) {
    const [, word, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (word === "HELP") {
      if (families.has(name)) fail("the help of a name that was told before", line)
      if (!/^(?:[^\\]|\\\\|\\n)*$/.test(rest)) fail("an escape in a help that is none", line)
      help = { name, text: rest }
    } else if (word === "TYPE") {
      if (!metricName.test(name)) fail("not a name of a metric", line)
      if (families.has(name)) fail("a name twice", line)
      if (!types.includes(rest)) fail("not a type", line)
      if (help !== undefined && help.name !== name) fail(`the help of ${help.name} before another name`, line)
      current = { name, help: help?.text, type: rest, series: [] }
      families.set(name, current)
      help = undefined
    } else if (line.startsWith("#") || line.trim() === "") fail("neither help, nor type, nor a series", line)
    else {
      const series = seriesOf(line)
      const { name: of, type } = current ?? fail("a series before all types", line)
      if (!(suffixes[type] ?? [""]).some((suffix) => series.name === of + suffix)) fail(`not of ${of}`, line)
      if (type === "counter" && !(series.value >= 0)) fail("a counter below zero", line)
      const key = keyOf(series)
      if (seen.has(key)) fail("a series twice", line)
      seen.add(key)
      current!.series.push(series)
    }
  }
  if (help !== undefined) fail("a help without a type", help.name)
  for (const family of families.values()) {
    if (family.series.length === 0) fail("a type without a series", family.name)
    if (family.type === "histogram") checkHistogram(family)
  }
  return families
}

/** The value of the series with exactly these labels; undefined if there is none. */
export const valueIn = (
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): number | undefined => {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""))
  return family?.series.find((each) => keyOf(each) === keyOf({ name, labels, value: 0 }))?.value
}
