/**
 * Evidence of changes to a log: a chain of SHA-256 over all of its entries from one on. Pure. An entry is bound to all
 * before it, so that nobody can alter one without altering every later digest, which somebody outside may have kept.
 *
 * The digest at an entry is SHA-256(digest before, index, term, SHA-256(payload)), with numbers as eight bytes,
 * little-endian. A decided entry carries the digest before it, and a salt, so that nobody can guess its data from the
 * inner hash. An entry whose data was erased keeps the inner hash of its first payload and loses the salt (Erasure.ts).
 */
import { createHash } from "node:crypto"
import { invariant } from "../Invariant.ts"
import type { Chain } from "./Chain.ts"
import * as StateElements from "./StateElements.ts"
import { count, discount, type Tables } from "./Tables.ts"
import type { Transaction } from "./Transaction.ts"

/** An entry as the chain takes it in. One that is not the machine's has no transaction. */
export interface Linked {
  readonly index: number
  readonly term: number
  readonly payload: Uint8Array
  readonly transaction?: Pick<Transaction, "evidence" | "inner" | "previous"> | undefined
}

/** The digest before the first entry of a chain. */
export const nothing = "00".repeat(32)

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()

/** The inner hash of a payload, in hexadecimal. */
export const innerOf = (payload: Uint8Array): string => sha256(payload).toString("hex")

/** The digest at an entry, after the one before it. */
const digestAfter = (previous: string, { index, payload, term, transaction }: Linked): string => {
  const inner = transaction?.inner === undefined ? sha256(payload) : Buffer.from(transaction.inner, "hex")
  const bytes = Buffer.alloc(80)
  bytes.write(previous, 0, "hex")
  bytes.writeBigUInt64LE(BigInt(index), 32)
  bytes.writeBigUInt64LE(BigInt(term), 40)
  inner.copy(bytes, 48)
  return sha256(bytes).toString("hex")
}

/** The chain after one more entry; undefined as long as no entry has begun one. */
export const after = (chain: Chain | undefined, entry: Linked): Chain | undefined => {
  const { index, transaction } = entry
  if (chain === undefined) {
    if (transaction?.evidence !== "begins") return undefined
    return { beganIndex: index, index, digest: digestAfter(nothing, entry) }
  }
  invariant(index === chain.index + 1, `entry ${index} follows entry ${chain.index} in the chain of digests`)
  return { ...chain, index, digest: digestAfter(chain.digest, entry) }
}

/** Takes an entry into the chain of a state, if it has one or begins one. */
export const extend = (tables: Tables, entry: Linked): void => {
  const before = tables.chain
  const next = after(before, entry)
  if (next === before) return
  if (before !== undefined) discount(tables, () => StateElements.chain(before))
  tables.chain = next
  count(tables, () => StateElements.chain(next!))
}

/** What an entry that is decided on a state carries: nothing as long as there is no chain. */
export const carried = (
  { chain }: Pick<Tables, "chain">,
  salt: () => string
): { readonly previous?: string; readonly salt?: string } =>
  chain === undefined ? {} : { previous: chain.digest, salt: salt() }

/** A transaction whose data was erased, with the inner hash of the payload that it had, and without its salt. */
export const sealed = (transaction: Transaction, payload: Uint8Array): Transaction => {
  if (transaction.previous === undefined) return transaction
  const { salt: _, ...rest } = transaction
  return { ...rest, inner: transaction.inner ?? innerOf(payload) }
}
