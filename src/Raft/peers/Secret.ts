/**
 * The secret that the nodes of a cluster share. A node refuses a weak one: a stranger that poses as a member receives a
 * proof made with it, and can guess the secret offline. Pure but for node:crypto's digests.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { Schema } from "effect"

/** How many characters a secret has at least. */
export const secretMinLength = 32
/** How many different characters a secret has at least. */
export const secretMinDistinct = 8

/** The secret can be guessed, or no header can carry it. */
export class WeakSecret extends Schema.TaggedError<WeakSecret>()("WeakSecret", { message: Schema.String }) {}

/** Why a secret is refused; undefined for a good one. The text never shows the secret. */
export const wrongWithSecret = (secret: string): string | undefined => {
  const characters = [...secret]
  const distinctCount = new Set(characters).size
  if (/\p{Cc}/u.test(secret) || secret.trim() !== secret) {
    return "The secret begins or ends with a space, or holds a line break: no header can carry it"
  }
  if (characters.length >= secretMinLength && distinctCount >= secretMinDistinct) return undefined
  return (
    `The secret is too weak: it needs at least ${secretMinLength} characters, ${secretMinDistinct} of them distinct, ` +
    `and has ${characters.length}, ${distinctCount} of them distinct. Make one with: openssl rand -hex 32`
  )
}

/**
 * While one secret replaces another, a node has both: it proves the first and takes either. Everybody who holds a node's
 * `secret` holds all of them in one text, each in its line, since no secret has a line break.
 */
export const join = (secrets: ReadonlyArray<string>): string => secrets.join("\n")

/** The secrets that a node takes from others, in the text of {@link join}. */
export const secretsOf = (joined: string): ReadonlyArray<string> => joined.split("\n")

/** The secret that a node proves to others. */
export const provingOf = (joined: string): string => secretsOf(joined)[0]!

/** Whether `text` is one of the node's secrets. The time that this takes reveals nothing of either. */
export const isSecret = (text: string, joined: string): boolean =>
  secretsOf(joined)
    .map((secret) => timingSafeEqual(digest(text), digest(secret)))
    .includes(true)

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
