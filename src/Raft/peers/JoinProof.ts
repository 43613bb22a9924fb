/**
 * A node that joins and a member of the cluster prove the secret to each other in one request and its answer. The node
 * asks for a challenge, then introduces itself with a proof, and the member answers with its own. Neither sends the
 * secret, and nobody can send a request again, since a member takes each challenge once. Pure but for node:crypto's
 * digests.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import type { ConfigurationMember } from "../core/Configuration.ts"
import { ByteWriter } from "./Bytes.ts"
import { provingOf, secretsOf } from "./Secret.ts"

/** How long a challenge may be answered. */
export const challengeLifetimeMs = 10_000
/** The limit on answered challenges that have not expired. Only nodes that know the secret add to them. */
const answeredMaxCount = 1024

/** One exchange, as both sides know it. `secret` is undefined in a cluster of one host; then a proof proves nothing. */
export interface Exchange {
  readonly secret: string | undefined
  readonly challenge: string
  readonly nonce: string
}

/** The node proves which member it wants to become, and to which cluster it belongs already, if to any. */
export const proveNode = (exchange: Exchange, node: ConfigurationMember, clusterId: string | null): string =>
  prove(exchange, "node", [node.id, node.address, node.instanceId, clusterId ?? ""])

/** The member proves the cluster and the members of its answer. */
export const proveMember = (
  exchange: Exchange,
  clusterId: string,
  members: ReadonlyArray<ConfigurationMember>
): string =>
  prove(exchange, "member", [clusterId, ...members.flatMap(({ address, id, instanceId }) => [id, address, instanceId])])

/** The proof covers the side that makes it, so that nobody can send it back to that side. */
const prove = (exchange: Exchange, side: "node" | "member", said: ReadonlyArray<string>): string => {
  const { challenge, nonce, secret = "" } = exchange
  const text = new ByteWriter().string("lithair/raft/join").string(side).string(challenge).string(nonce)
  for (const each of said) text.string(each)
  return createHmac("sha256", provingOf(secret)).update(text.finish()).digest("base64url")
}

/** Whether a proof is the one that a secret of this node makes. The other side may prove any of them. */
export const isProvenBy = (exchange: Exchange, proof: string, made: (exchange: Exchange) => string): boolean =>
  secretsOf(exchange.secret ?? "")
    .map((secret) => isProof(proof, made({ ...exchange, secret })))
    .includes(true)

/** Whether a text is the expected one. The time that this takes reveals nothing of it. */
export const isProof = (found: string, expected: string): boolean => {
  const [a, b] = [Buffer.from(found), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Draws random text that no exchange has seen. */
export const makeNonce = (): string => randomBytes(32).toString("base64url")

/** The challenges of one node. It keeps only those that got a right answer, so strangers fill no table. */
export interface Challenges {
  readonly make: (nowMs: number) => string
  /** Whether this node made the challenge, not long ago. */
  readonly isOpen: (challenge: string, nowMs: number) => boolean
  /** Takes a challenge once. False if somebody took it before, or if too many are taken. */
  readonly take: (challenge: string, nowMs: number) => boolean
}

/** Makes the challenges of one node, sealed with a key of their own. */
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
