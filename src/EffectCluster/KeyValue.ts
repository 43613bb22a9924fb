/**
 * Effect's `KeyValueStore` over the log of this node: every value is a record, a change is one entry, and a read is
 * linearizable. A change of several keys at once is not one: `clear` goes page by page.
 */
import { Effect, Layer, Schema } from "effect"
import { SecureRandom } from "effect/crypto"
import { KeyValueStore } from "effect/persistence"
import type { Member } from "../Cluster/Member.ts"
import { make } from "../Command/Declaration.ts"
import { layer } from "../Command/Handler.ts"
import { Transaction } from "../Command/Transaction.ts"
import { Class } from "../Model/Class.ts"
import { bareId } from "../Model/Field.ts"
import { orDie } from "./Handling.ts"
import * as Store from "./Store.ts"

/** A value, under the name of its store and its key. HTTP does not know the model. */
export class KeyedValue extends Class<KeyedValue>("lithair/KeyedValue")(
  {
    id: bareId(Schema.String),
    store: Schema.String,
    key: Schema.String,
    value: Schema.String,
    /** The change that set it. */
    change: Schema.String
  },
  { mode: "replicate", http: false, indexes: ["store"], path: "lithair-keyed-values" }
) {}

const text = Schema.String

/** Sets a value. With `expected`, only if the last change of the value is that. Returns whether it did. */
const set = make("lithair/key-value-set", {
  payload: Schema.Struct({ store: text, key: text, value: text, change: text, expected: Schema.NullOr(text) }),
  success: Schema.Boolean,
  http: false
})

/** Removes values. */
const remove = make("lithair/key-value-remove", {
  payload: Schema.Struct({ store: text, keys: Schema.Array(text) }),
  success: Schema.Void,
  http: false
})

/** The commands of key-value stores. */
export const commands = [set, remove] as const

/** Stores share a table. A length ends the name, so that no two names and keys are one id. */
const idOf = (store: string, key: string): string => `${store.length}:${store}${key}`

/** The handlers of these commands. */
export const layerHandlers = Layer.mergeAll(
  layer(
    set,
    Effect.fnUntraced(function* ({ change, expected, key, store, value }) {
      const transaction = yield* Transaction
      const id = idOf(store, key)
      const found = yield* transaction.find(KeyedValue, id)
      const last = found._tag === "Some" ? found.value.change : undefined
      // A copy of this very change was done before, and its sender did not hear of that.
      if (last === change) return true
      if (expected !== null && last !== expected) return false
      yield* transaction.put(KeyedValue, { id, store, key, value, change })
      return true
    }, orDie)
  ),
  layer(
    remove,
    Effect.fnUntraced(function* ({ keys, store }) {
      const transaction = yield* Transaction
      for (const id of keys.map((key) => idOf(store, key))) {
        const found = yield* transaction.find(KeyedValue, id)
        if (found._tag === "Some") yield* transaction.delete(KeyedValue, id)
      }
    }, orDie)
  )
)

/** How many keys one entry removes. */
const pageMaxCount = 1_000

const makeStore = Effect.fnUntraced(function* (name: string) {
  const store = yield* Store.make
  const failing = (method: string, key?: string) =>
    Effect.mapError(
      ({ cause }: { readonly cause: unknown }) =>
        new KeyValueStore.KeyValueStoreError({
          method,
          message: `Cannot ${method} ${key === undefined ? `all of ${name}` : `${key} of ${name}`}`,
          cause,
          ...(key === undefined ? {} : { key })
        })
    )
  const recordOf = (key: string) => store.get(KeyedValue, idOf(name, key))?.record
  const keysHere = () => store.list(KeyedValue, "store", name).map(({ record }) => record.key)
  const get = (key: string) => store.read(() => recordOf(key)?.value).pipe(failing("get", key))
  const removing = (keys: ReadonlyArray<string>): Effect.Effect<void, { readonly cause: unknown }> => {
    if (keys.length === 0) return Effect.void
    const page = store.call(remove, { store: name, keys: keys.slice(0, pageMaxCount) })
    return Effect.andThen(page, removing(keys.slice(pageMaxCount)))
  }
  const setting = (key: string, value: string, expected: string | null) =>
    store.call(set, { store: name, key, value, change: SecureRandom.uuidV4Unsafe(), expected })
  const modify = (
    key: string,
    f: (value: string) => string
  ): Effect.Effect<string | undefined, { readonly cause: unknown }> =>
    Effect.flatMap(
      store.read(() => recordOf(key)),
      (known) => {
        if (known === undefined) return Effect.undefined
        const value = f(known.value)
        return Effect.flatMap(setting(key, value, known.change), (isSet) =>
          // Somebody else changed it meanwhile.
          isSet ? Effect.succeed(value) : modify(key, f)
        )
      }
    )

  return KeyValueStore.makeStringOnly({
    get,
    set: (key, value) => Effect.asVoid(Effect.suspend(() => setting(key, value, null))).pipe(failing("set", key)),
    remove: (key) => removing([key]).pipe(failing("remove", key)),
    clear: Effect.flatMap(store.read(keysHere), removing).pipe(failing("clear")),
    clearPrefix: (prefix) =>
      Effect.flatMap(
        store.read(() => keysHere().filter((key) => key.startsWith(prefix))),
        removing
      ).pipe(failing("clear")),
    size: store.read(() => keysHere().length).pipe(failing("size")),
    keys: store.read(keysHere).pipe(failing("keys")),
    modify: (key, f) => modify(key, f).pipe(failing("modify", key))
  })
})

/** Keeps the values of a store of this name in the log of this node. */
export const layerKeyValueStore = ({
  name = "default"
}: {
  readonly name?: string
} = {}): Layer.Layer<KeyValueStore.KeyValueStore, never, Member> =>
  Layer.effect(KeyValueStore.KeyValueStore, makeStore(name))
