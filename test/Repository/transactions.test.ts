/** Several changes of mixed records at once: what this node keeps of each is shown on the record that it came with alone. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { system } from "../../src/Access/Caller.ts"
import type { Operation } from "../../src/Machine/Command.ts"
import * as Model from "../../src/Model.ts"
import { Records } from "../../src/Repository/Records.ts"
import { TestCluster } from "../../src/Testing.ts"

class Customer extends Model.Class<Customer>("Customer")({
  id: Model.id(Schema.String),
  name: Schema.String.pipe(Model.replicate)
}) {}

class Draft extends Model.Class<Draft>("Draft")(
  { id: Model.id(Schema.String), customerId: Schema.String.pipe(Model.replicate), secret: Model.local(Schema.String) },
  { references: { customerId: { model: Customer, onDelete: "cascade" } } }
) {}

const customer = Model.describe(Customer)
const draft = Model.describe(Draft)

const createCustomer = { _tag: "Create", model: "Customer", id: "c", data: { name: "Ada" } } as const
const createDraft = (local: { readonly secret?: string } = {}) =>
  ({ _tag: "Create", model: "Draft", id: "d", data: { customerId: "c", ...local } }) as const
const remove = (model: string, id: string) => ({ _tag: "Delete", model, id }) as const

/** The draft as the node shows it after all of these together. */
const shownAfter = Effect.fnUntraced(function* (operations: ReadonlyArray<Operation>) {
  const records = yield* Records
  const changes = operations.map((operation) => ({
    operation,
    descriptor: operation.model === "Draft" ? draft : customer
  }))
  yield* records.transact(system, { changes })
  return (yield* records.get(system, draft, "d")).value?.record
})

it.effect("a part is not shown on a record that was created anew, whatever ended the first one (D4)", () =>
  Effect.gen(function* () {
    const { on } = yield* TestCluster
    const first = [createCustomer, createDraft({ secret: "of the first" })]
    const ends: ReadonlyArray<ReadonlyArray<Operation>> = [
      [remove("Draft", "d")],
      [remove("Draft", "d"), remove("Customer", "c"), createCustomer],
      [remove("Customer", "c"), createCustomer]
    ]
    const away = [remove("Customer", "c")]
    for (const end of ends) {
      const bare = yield* on("n1", shownAfter([...first, ...end, createDraft()]))
      assert.deepStrictEqual(bare, { id: "d", customerId: "c" })
      yield* on("n1", shownAfter(away))
      const own = yield* on("n1", shownAfter([...first, ...end, createDraft({ secret: "its own" })]))
      assert.deepStrictEqual(own, { id: "d", customerId: "c", secret: "its own" })
      yield* on("n1", shownAfter(away))
    }
  }).pipe(Effect.provide(TestCluster.layer({ models: [Customer, Draft] })))
)
