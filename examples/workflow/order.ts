/** An order as a workflow: it is paid, then shipped, and paid back if it cannot be shipped. */
import { Clock, Config, Console, Effect, Schedule, Schema } from "effect"
import { Activity, Workflow } from "effect/workflow"
import { Repository } from "lithair"
import { Payment } from "./models.ts"

/** No carrier goes there. */
export class OutOfReach extends Schema.TaggedError<OutOfReach>()("OutOfReach", { city: Schema.String }) {}

export const Order = Workflow.make("Order", {
  payload: { id: Schema.String, cents: Schema.Int, city: Schema.String },
  success: Schema.Struct({ parcel: Schema.String }),
  error: OutOfReach,
  // An order that is placed twice is one order.
  idempotencyKey: ({ id }) => id
})

/** While there is no leader, nothing is written: try again, for half a minute or so. */
const patiently = { schedule: Schedule.spaced("100 millis"), times: 300 }

/**
 * A step may run twice, if its node ends in the middle, and the first run may go on late, when the order is paid back
 * already. So it creates the record of its order. If that is there, nothing is left to do.
 */
const charge = (id: string, cents: number) =>
  Activity.make({
    name: "charge",
    execute: Effect.gen(function* () {
      const payments = yield* Repository.make(Payment)
      yield* payments.create({ id, cents, state: "charged" }).pipe(
        Effect.asVoid,
        Effect.catchIf(Repository.isProblem("already-exists"), () => Effect.void),
        Effect.retry(patiently),
        Effect.orDie
      )
      yield* Console.log(`Order ${id}: ${cents} cents are charged`)
    })
  })

const refund = (id: string, cents: number) =>
  Activity.make({
    name: "refund",
    execute: Effect.gen(function* () {
      const payments = yield* Repository.make(Payment)
      yield* Effect.orDie(Effect.retry(payments.put(id, { id, cents, state: "refunded" }), patiently))
      yield* Console.log(`Order ${id}: ${cents} cents are paid back`)
    })
  })

/** How long the carrier takes: long enough to end a node meanwhile. */
const carrierMs = Config.withDefault(Config.Int("CARRIER_MS"), 3_000)

const ship = (id: string, city: string) =>
  Activity.make({
    name: "ship",
    success: Schema.String,
    error: OutOfReach,
    execute: Effect.gen(function* () {
      yield* Console.log(`Order ${id}: the carrier is asked`)
      yield* Effect.sleep(yield* Effect.orDie(carrierMs))
      if (city === "Atlantis") return yield* new OutOfReach({ city })
      yield* Console.log(`Order ${id}: the carrier has it`)
      return `${id} to ${city}, ${yield* Clock.currentTimeMillis}`
    })
  })

/** What a runner does with an order. */
export const orderLayer = Order.toLayer(
  Effect.fnUntraced(function* ({ cents, city, id }) {
    yield* Order.withCompensation(charge(id, cents), () => refund(id, cents))
    return { parcel: yield* ship(id, city) }
  })
)
