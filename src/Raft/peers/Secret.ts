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

/** Whether `text` is the secret. The time that this takes reveals nothing of either. */
export const isSecret = (text: string, secret: string): boolean => timingSafeEqual(digest(text), digest(secret))

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
