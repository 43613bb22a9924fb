/** The flags that the benchmarks share. Each bounds how long one takes. */
import { parseArgs } from "node:util"

export interface Options {
  /** Each run has a cluster of its own; the report gives medians over runs. */
  readonly runs: number
  /** The measured part of one step. */
  readonly stepMs: number
  /** How long a step waits for others to leave the machine alone; then it is measured all the same, and says so. */
  readonly quietWaitMs: number
  /** How often a step that others disturbed is measured again. */
  readonly retries: number
}

/** Where a benchmark has several subjects, the first is meant unless another is named. */
export const readOptions = <const Subject extends string = never>(
  subjects: ReadonlyArray<Subject> = []
): Options & { readonly subject: Subject | undefined } => {
  const { positionals, values } = parseArgs({
    allowPositionals: subjects.length > 0,
    options: {
      runs: { type: "string", default: "5" },
      "step-ms": { type: "string", default: "2000" },
      "quiet-wait-ms": { type: "string", default: "10000" },
      retries: { type: "string", default: "1" }
    }
  })
  const [asked = subjects[0], another] = positionals
  const subject = subjects.find((each) => each === asked)
  if (subject !== asked || another !== undefined) {
    throw new Error(`Expected one of ${subjects.join(", ")}, found "${positionals.join(" ")}"`)
  }
  const number = (name: keyof typeof values, most: number): number => {
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < 0 || value > most) {
      throw new Error(`--${name}: expected a whole number up to ${most}, found "${values[name]}"`)
    }
    return value
  }
  return {
    subject,
    runs: Math.max(1, number("runs", 50)),
    stepMs: Math.max(100, number("step-ms", 60_000)),
    quietWaitMs: number("quiet-wait-ms", 600_000),
    retries: number("retries", 20)
  }
}

/** The steps of every benchmark: one request at a time, a few, many. */
export const clientCounts = [1, 16, 64] as const

/** A step ends after so many answers, whatever its time. */
export const answersMax = 100_000

/** A step's own warm-up; a run begins with a longer one for the code to be compiled. */
export const stepWarmUpMs = 300
export const runWarmUpMs = 3000
/** Of many variants none has less. */
export const variantWarmUpMs = 1000

/** What every write of the benchmarks sends: a record of the example's `Product`, 33 bytes. */
export const product = JSON.stringify({ name: "Anvil", price: "19.90" })
