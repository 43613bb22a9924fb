/**
 * How a node that is to join and a member of the cluster prove the secret to each other in one request and its answer:
 * the node asks for a challenge, then says who it is with a proof, and is answered with one. Neither sends the secret,
 * and no request can be sent again: a challenge is taken once. Pure but for node:crypto's digests.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import type { ConfigurationMember } from "../core/Configuration.ts"
import { ByteWriter } from "./Bytes.ts"

/** How long a challenge may be answered. */
export const challengeLifetimeMs = 10_000
/** Challenges that were answered with a proof and have not expired: only nodes that know the secret add to them. */
const answeredMaxCount = 1024

/** What both sides know of one exchange. `secret` is undefined in a cluster of one host; then a proof proves nothing. */
interface Exchange {
  readonly secret: string | undefined
  readonly challenge: string
  readonly nonce: string
}

/** The node's proof: of the member that it is to become, and of the cluster that it belongs to already, if any. */
export const proveNode = (exchange: Exchange, node: ConfigurationMember, clusterId: string | null): string =>
  prove(exchange, "node", [node.id, node.address, node.instanceId, clusterId ?? ""])

/** The member's proof: of the cluster, and of its members, that it answers with. */
export const proveMember = (
  exchange: Exchange,
  clusterId: string,
  members: ReadonlyArray<ConfigurationMember>
): string =>
  prove(exchange, "member", [clusterId, ...members.flatMap(({ address, id, instanceId }) => [id, address, instanceId])])

/** The side that proves is part of what it proves, so that no proof can be sent back to the one that made it. */
const prove = (exchange: Exchange, side: "node" | "member", said: ReadonlyArray<string>): string => {
  const { challenge, nonce, secret = "" } = exchange
  const text = new ByteWriter().string("lithair/raft/join").string(side).string(challenge).string(nonce)
  for (const each of said) text.string(each)
  return createHmac("sha256", secret).update(text.finish()).digest("base64url")
}

/** Whether a proof is the one that was expected; how long it takes tells nothing of it. */
export const isProof = (found: string, expected: string): boolean => {
  const [a, b] = [Buffer.from(found), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

export const makeNonce = (): string => randomBytes(32).toString("base64url")

/** The challenges of one node. It keeps none until it was answered rightly, so that strangers fill no table. */
export interface Challenges {
  readonly make: (nowMs: number) => string
  /** Whether this node made the challenge, not long ago. */
  readonly isOpen: (challenge: string, nowMs: number) => boolean
  /** Takes it, once. False: it was taken before, or too many were. */
  readonly take: (challenge: string, nowMs: number) => boolean
}

export const makeChallenges = (): Challenges => {
  const key = randomBytes(32)
  const taken = new Map<string, number>()
  const seal = (text: string): string => createHmac("sha256", key).update(text).digest("base64url")
  const expiryOf = (challenge: string): number => Number(challenge.split(".")[0])
  const isOpen = (challenge: string, nowMs: number): boolean => {
    const [expiresMs = "", nonce = "", sealed = ""] = challenge.split(".")
    return isProof(sealed, seal(`${expiresMs}.${nonce}`)) && nowMs < Number(expiresMs) && !taken.has(challenge)
  }
  return {
    make: (nowMs) => {
      const text = `${nowMs + challengeLifetimeMs}.${makeNonce()}`
      return `${text}.${seal(text)}`
    },
    isOpen,
    take: (challenge, nowMs) => {
      for (const [each, expiresMs] of taken) if (expiresMs <= nowMs) taken.delete(each)
      if (!isOpen(challenge, nowMs) || taken.size >= answeredMaxCount) return false
      taken.set(challenge, expiryOf(challenge))
      return true
    }
  }
}
