/**
 * What commands print: tables for people, one JSON document for programs, both on stdout; progress on stderr, and only
 * on a terminal. No colours.
 */
import process from "node:process"
import { Console, Effect } from "effect"
import { Flag } from "effect/cli"

/** The flag of every command that prints a result. */
export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print the result as JSON, for programs"),
  Flag.withDefault(false)
)

/** Columns that line up. Numbers stand on the right. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): string => {
  const lines = [head, ...rows].map((row) => row.map((cell) => (typeof cell === "number" ? count(cell) : cell)))
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const isNumber = typeof rows[0]?.[column] === "number"
          const width = widths[column] ?? 0
          return isNumber ? cell.padStart(width) : cell.padEnd(width)
        })
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** Names with what they stand for, one a line. */
export const facts = (named: ReadonlyArray<readonly [name: string, value: string | number]>): string => {
  const width = Math.max(...named.map(([name]) => name.length))
  return named.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n")
}

/** A number with a comma for each thousand, in every locale. */
export const count = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",")

/** So many bytes, for people. */
export const size = (bytes: number): string => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1)
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`
}

/** Prints one of the two. */
export const print = (isJson: boolean, value: unknown, text: string): Effect.Effect<void> =>
  Console.log(isJson ? JSON.stringify(value) : text)

/** Shows how far a command has come, at most ten times a second, on a terminal alone. {@link Progress.end} clears it. */
export interface Progress {
  readonly show: (text: string) => void
  readonly end: Effect.Effect<void>
}

/** Begins to show progress on stderr. */
export const progress = (): Progress => {
  const { stderr } = process
  let shownMs = 0
  return {
    show: (text) => {
      const nowMs = performance.now()
      if (stderr.isTTY !== true || nowMs - shownMs < 100) return
      shownMs = nowMs
      stderr.write(`\r\u001b[2K${text}`)
    },
    end: Effect.sync(() => {
      if (stderr.isTTY === true && shownMs > 0) stderr.write("\r\u001b[2K")
    })
  }
}
