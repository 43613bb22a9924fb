/** The flags of a comparison. Each bounds how long it takes. */
import { parseArgs } from "node:util"

export interface Options<Line extends string = string> {
  readonly lines: ReadonlyArray<Line>
  readonly systems: ReadonlyArray<string>
  /** Another checkout to compare with. */
  readonly base: string | undefined
  readonly clients: ReadonlyArray<number> | undefined
  /** Each run has clusters of its own; the report gives medians over runs. */
  readonly runs: number
  /** The measured part of one step. */
  readonly stepMs: number
  /** The load of each variant before a run measures: code is compiled. */
  readonly warmUpMs: number
  /** The rates of the open loop, a second. */
  readonly rates: ReadonlyArray<number>
  /** How many records are many. */
  readonly records: number
  /** Where to leave the samples as JSON and the charts. */
  readonly out: string | undefined
}

export const readOptions = <const Line extends string>(
  args: ReadonlyArray<string>,
  known: { readonly lines: ReadonlyArray<Line>; readonly systems: ReadonlyArray<string> }
): Options<Line> => {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      systems: { type: "string" },
      base: { type: "string" },
      clients: { type: "string" },
      runs: { type: "string" },
      "step-ms": { type: "string" },
      "warm-up-ms": { type: "string" },
      rates: { type: "string", default: "500,2000" },
      records: { type: "string", default: "1000000" },
      out: { type: "string" },
      smoke: { type: "boolean", default: false }
    }
  })
  const { smoke } = values
  const listed = <Name extends string>(given: ReadonlyArray<string>, names: ReadonlyArray<Name>) =>
    given.map((each) => {
      const name = names.find((known) => known === each)
      if (name === undefined) throw new Error(`Expected some of ${names.join(", ")}, found "${each}"`)
      return name
    })
  const number = (name: string, value: string, most: number): number => {
    const found = Number(value)
    if (Number.isInteger(found) && found >= 1 && found <= most) return found
    throw new Error(`--${name}: expected a whole number from 1 to ${most}, found "${value}"`)
  }
  return {
    lines: positionals.length > 0 ? listed(positionals, known.lines) : smoke ? known.lines.slice(0, 1) : known.lines,
    systems: listed(
      values.systems?.split(",") ?? (values.base === undefined ? ["node", "etcd"] : ["node"]),
      known.systems
    ),
    base: values.base,
    clients: (values.clients ?? (smoke ? "1,64" : undefined))
      ?.split(",")
      .map((count) => number("clients", count, 10_000)),
    runs: number("runs", values.runs ?? (smoke ? "1" : "5"), 50),
    stepMs: number("step-ms", values["step-ms"] ?? (smoke ? "1000" : "2000"), 600_000),
    warmUpMs: number("warm-up-ms", values["warm-up-ms"] ?? (smoke ? "1500" : "3000"), 60_000),
    rates: values.rates.split(",").map((rate) => number("rates", rate, 1_000_000)),
    records: number("records", values.records, 10_000_000),
    out: values.out
  }
}
