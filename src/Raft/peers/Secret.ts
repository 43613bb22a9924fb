/**
 * The secret that the nodes of a cluster share. A weak one is refused: a stranger that poses as a member receives a
 * proof made with it, and can guess at it offline. Pure but for node:crypto's digests.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { Schema } from "effect"

/** How many characters a secret has at least, and how many of them differ. */
export const secretMinLength = 32
export const secretMinDistinct = 8

/** The secret can be guessed, or no header can carry it. */
export class WeakSecret extends Schema.TaggedError<WeakSecret>()("WeakSecret", { message: Schema.String }) {}

/** What is wrong with a secret; undefined for one that may be used. It never says the secret itself. */
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

/** Whether `text` is the secret. The time that this takes reveals nothing of either. */
export const isSecret = (text: string, secret: string): boolean => timingSafeEqual(digest(text), digest(secret))

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
