/**
 * Checks the chain of digests in the entries of a log (Machine/Evidence.ts), one after another, and names the first entry
 * that was altered. Pure but for the state that it owns. Entries without a chain pass.
 */
import { Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { Chain } from "../Machine/Chain.ts"
import * as Evidence from "../Machine/Evidence.ts"
import { decode, type Transaction } from "../Machine/Transaction.ts"

/** A digest that somebody has kept. */
export interface KeptDigest {
  readonly index: number
  readonly digest: string
}

/** What was checked: the entries from one on through another, and the digest there. */
export interface Checked {
  readonly fromIndex: number
  readonly index: number
  readonly digest: string
}

/** Takes entries in order. */
export interface EvidenceCheck {
  readonly take: (entry: LogEntry, transaction: Transaction | undefined) => void
  /** What was checked, undefined if no entry has a chain; or what is wrong. Call it after the last entry. */
  readonly end: () => Result.Result<Checked | undefined, string>
}

/** Begins behind the chain of a snapshot, if there is one; else with the first entry that carries a digest. */
export const checking = (options: {
  readonly chain?: Chain | undefined
  readonly kept?: KeptDigest | undefined
}): EvidenceCheck => {
  const { kept } = options
  let chain = options.chain
  let fromIndex = chain === undefined ? 0 : chain.index + 1
  let wrong: string | undefined
  /** An entry whose digest before it did not agree: the next one tells whether this entry or the one before is altered. */
  let doubted: { readonly index: number; readonly chain: Chain } | undefined
  let isKeptMet = false

  const altered = (index: number): void => {
    wrong ??= `Entry ${index} was altered: the digests after it do not agree with it`
  }

  const compare = (): void => {
    if (kept === undefined || chain?.index !== kept.index) return
    isKeptMet = true
    if (chain.digest !== kept.digest) {
      wrong ??= `The digest at ${kept.index} is ${chain.digest}, and not ${kept.digest}: an entry up to there was altered`
    }
  }
  compare()

  return {
    take: (entry, transaction) => {
      const { index } = entry
      const linked = { ...entry, transaction }
      const previous = transaction?.previous
      if (doubted !== undefined && previous !== undefined) {
        altered(previous === doubted.chain.digest ? doubted.index - 1 : doubted.index)
        doubted = undefined
      }
      if (chain === undefined) {
        // Without its beginning the chain is taken up where an entry carries it.
        if (previous !== undefined) chain = { beganIndex: index, index: index - 1, digest: previous }
        if (previous !== undefined || transaction?.evidence === "begins") fromIndex = index
      } else if (previous !== undefined && previous !== chain.digest) {
        const carried = { ...chain, digest: previous }
        doubted = { index, chain: Evidence.after(carried, linked)! }
      } else if (previous === undefined && transaction !== undefined) {
        wrong ??= `Entry ${index} was altered: it carries no digest, and those before it do`
      }
      chain = Evidence.after(chain, linked)
      if (doubted !== undefined) chain = doubted.chain
      compare()
    },
    end: () => {
      if (doubted !== undefined) altered(doubted.index - 1)
      if (wrong !== undefined) return Result.fail(wrong)
      if (kept !== undefined && !isKeptMet) {
        return Result.fail(`There is no digest at entry ${kept.index} to compare with`)
      }
      return Result.succeed(chain === undefined ? undefined : { fromIndex, index: chain.index, digest: chain.digest })
    }
  }
}

/** The transaction of an entry; undefined if it is not the machine's, or does not decode. */
export const transactionOf = ({ payload, type }: LogEntry): Transaction | undefined =>
  type === "transaction" ? Result.getOrUndefined(decode(payload)) : undefined

/** Reads `INDEX:DIGEST`. */
export const parseDigest = (text: string): KeptDigest | undefined => {
  const [, index, digest] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? []
  return index === undefined || digest === undefined ? undefined : { index: Number(index), digest }
}
