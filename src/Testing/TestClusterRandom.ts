/**
 * The randomness of one node of a test's cluster, decided by a seed: in each run a node draws the same numbers, ids and
 * secrets. It keeps no secret: it is for tests alone.
 */
import { Clock, Context, Effect, Random } from "effect"
import { SecureRandom, WebCrypto } from "effect/crypto"

/** The numbers of `seed`, from the first on. */
export const seeded = (seed: string): Effect.Effect<Random.Random> =>
  Effect.map(Random.Random, (random) => random).pipe(Random.withSeed(seed))

const fill = (random: Random.Random, bytes: Uint8Array): void => {
  for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(random.nextDoubleUnsafe() * 256)
}

const secureOf = (random: Random.Random): SecureRandom.SecureRandom["Service"] =>
  SecureRandom.make((sizeBytes) => {
    const bytes = new Uint8Array(sizeBytes)
    fill(random, bytes)
    return bytes
  })

/** Ids of records: UUIDv7, as a node makes them, of `clock` and `random`. */
export const newIdOf = (clock: Clock.Clock, random: Random.Random): (() => string) => {
  const id = Effect.provideService(secureOf(random).uuidV7(), Clock.Clock, clock)
  return () => Effect.runSync(id)
}

/** The id of a data directory, which no other node has. */
export const uuidOf = (random: Random.Random) => secureOf(random).uuidV4()

/** The source of all random numbers of programs, secure ones too. */
export const references = (random: Random.Random): Context.Context<never> => {
  const secure = secureOf(random)
  const crypto: Crypto = {
    subtle: globalThis.crypto.subtle,
    getRandomValues: (array) => {
      if (array !== null) fill(random, new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
      return array
    },
    randomUUID: () => Effect.runSync(secure.uuidV4()) as ReturnType<Crypto["randomUUID"]>
  }
  return Context.make(Random.Random, random).pipe(Context.add(WebCrypto.WebCrypto, crypto))
}
