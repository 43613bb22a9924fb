/**
 * What two proven nodes tell each other of their data directories before a link opens: each its own start, and the start
 * that its configuration has for the other. A node whose directory lacks that start has a copy, or an older state of it,
 * and stops (C27). Pure.
 */
import { isSameStart, type OwnStarts, type Start, untold } from "../../EventStore/Start.ts"
import { type Configuration, type ConfigurationMember, membersOf } from "../core/Configuration.ts"
import { ByteReader, ByteWriter, type Malformed } from "./Bytes.ts"

const nonceMaxBytes = 64

/** What one side tells. */
export interface Introduction {
  /** Its own start; undefined if it keeps none. */
  readonly start: Start | undefined
  /** The start that it knows of the other side; undefined if it knows none. */
  readonly known: Start | undefined
}

/** What this node knows of a peer once a link is open. */
export interface Introduced {
  /** The peer's own start; undefined if the peer told none. */
  readonly start: Start | undefined
  /** The start that this node told the peer to know of it: the peer's directory has it. */
  readonly told: Start | undefined
}

/** Of a peer that speaks an older protocol. */
export const unintroduced: Introduced = { start: undefined, told: undefined }

/** A data directory by the names that a hello gives. */
type Named = Pick<ConfigurationMember, "instanceId"> & { readonly nodeId: string }

/** The member that has this very data directory. */
export const memberOf = (
  members: ReadonlyArray<ConfigurationMember>,
  { instanceId, nodeId }: Named
): ConfigurationMember | undefined => members.find((member) => member.id === nodeId && member.instanceId === instanceId)

/** The introduction of a node with these starts to a peer. */
export const introductionTo = (
  peer: Named,
  members: ReadonlyArray<ConfigurationMember>,
  starts: OwnStarts
): Introduction => ({ start: starts.current, known: memberOf(members, peer)?.start })

/** The start that a peer knows of this node's data directory, if the directory lacks it: it was copied, or set back, before. */
export const laterStart = ({ known }: Introduction, own: OwnStarts): Start | undefined =>
  known === undefined || own.includes(known) ? undefined : known

/**
 * Whether the members name a start that the peer was not asked about, and that is not its own. Such a link has to be
 * opened anew: the peer may be the copy.
 */
export const isOutdated = (
  peer: Named,
  { start, told }: Introduced,
  members: ReadonlyArray<ConfigurationMember>
): boolean => {
  const recorded = memberOf(members, peer)?.start
  // A peer that tells no start speaks an older protocol, or its disk was full.
  return recorded !== undefined && start !== undefined && !isSameStart(recorded, start) && !isSameStart(recorded, told)
}

/** The start that a configuration has for this node, if the node's directory lacks it. */
export const foreignStart = (
  configuration: Configuration,
  self: Named & { readonly starts?: OwnStarts }
): Start | undefined => {
  const known = memberOf(membersOf(configuration), self)?.start
  return laterStart({ start: undefined, known }, self.starts ?? untold)
}

const writeStart = (to: ByteWriter, start: Start | undefined): ByteWriter =>
  start === undefined ? to.u8(0) : to.u8(1).u53(start.life).string(start.nonce)

const readStart = (from: ByteReader, field: string): Start | undefined => {
  if (!from.boolean(field)) return undefined
  const start = { life: from.u53(`${field}.life`), nonce: from.string(`${field}.nonce`, nonceMaxBytes) }
  if (!/^[0-9a-f]+$/.test(start.nonce)) from.fail(`${field}.nonce`, "other characters than hexadecimal digits")
  return start
}

/** The introduction as the bytes behind its frame's tag. */
export const encodeIntroduction = ({ known, start }: Introduction): Uint8Array<ArrayBuffer> =>
  writeStart(writeStart(new ByteWriter(64), start), known).finish()

/** The introduction in such bytes, or what is wrong with them. */
export const decodeIntroduction = (bytes: Uint8Array): Introduction | Malformed => {
  const from = new ByteReader(bytes)
  const start = readStart(from, "start")
  const known = readStart(from, "known")
  from.end()
  return from.failure ?? { start, known }
}
