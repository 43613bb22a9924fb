/**
 * A node of the ticketing example in one of three releases, as a process: `TICKETING_RELEASE` says which. It takes the flags
 * of the example's nodes.
 *
 * `first` is the example as it is. `compatible` adds a field with a default, an optional one and an index, without a new
 * version. `next` has a new version of the ticket, and one of its steps is no function: each node reads another number.
 */
import { Effect, Layer, Schema } from "effect"
import { confirmation, Mailer } from "../../examples/ticketing/confirmation.ts"
import { handlers } from "../../examples/ticketing/handlers.ts"
import { buyTicket, Id, Show, SoldOut, Ticket } from "../../examples/ticketing/models.ts"
import { sales } from "../../examples/ticketing/sales.ts"
import * as Command from "../../src/Command.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"
import { run } from "../../src/node.ts"
import * as Reaction from "../../src/Reaction.ts"

const seats = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))

/** A show that is on a stage, and has a door time. */
class LaterShow extends Model.Class<LaterShow>("Show")(
  {
    id: Model.id(Id),
    title: Schema.NonEmptyString.pipe(Model.replicate),
    seats,
    stage: Schema.optionalKey(Schema.NonEmptyString),
    doors: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("19:00")))
  },
  { writes: { change: "commands" }, indexes: ["doors"] }
) {}

class CompatibleTicket extends Model.Class<CompatibleTicket>("Ticket")(
  {
    id: Model.id(Id),
    showId: Model.replicate(Id),
    holder: Schema.NonEmptyString,
    note: Schema.optionalKey(Schema.String)
  },
  {
    references: { showId: { model: LaterShow, onDelete: "restrict" } },
    indexes: ["showId", "holder", "note"],
    writes: { create: "commands", change: "never" }
  }
) {}

class NextTicket extends Model.Class<NextTicket>("Ticket")(
  { id: Model.id(Id), showId: Model.replicate(Id), buyer: Schema.NonEmptyString, code: Schema.Finite },
  {
    version: 2,
    references: { showId: { model: LaterShow, onDelete: "restrict" } },
    indexes: ["showId", "buyer", "code"],
    writes: { create: "commands", change: "never" },
    lift: Model.from(1, {
      id: Schema.String,
      showId: Schema.String,
      holder: Schema.String,
      note: Schema.optionalKey(Schema.String)
    })
      .drop("note")
      .rename("holder", "buyer")
      // No function: nodes agree all the same, since each stores what the leader read.
      .map((record) => ({ ...record, code: Math.random() }))
      .to(2)
  }
) {}

const payload = Schema.Struct({ showId: Id, holder: Schema.NonEmptyString })
const buyCompatible = Command.make("buyTicket", { payload, success: CompatibleTicket, error: [SoldOut] })
const buyNext = Command.make("buyTicket", { payload, success: NextTicket, error: [SoldOut] })

/** Takes a seat of a show. */
const takeSeat = Effect.fnUntraced(function* (showId: string) {
  const transaction = yield* Command.Transaction
  const { seats, title } = yield* transaction.get(LaterShow, showId)
  if (seats === 0) return yield* new SoldOut({ show: title })
  yield* transaction.patch(LaterShow, showId, { seats: seats - 1 })
  return transaction
})

const compatibleHandlers = Command.layer(
  buyCompatible,
  Effect.fnUntraced(function* ({ holder, showId }) {
    const { create } = yield* takeSeat(showId)
    return yield* create(CompatibleTicket, { showId, holder })
  })
)
const nextHandlers = Command.layer(
  buyNext,
  Effect.fnUntraced(function* ({ holder, showId }) {
    const { create } = yield* takeSeat(showId)
    return yield* create(NextTicket, { showId, buyer: holder, code: 0 })
  })
)

const mailsOf = (model: typeof CompatibleTicket | typeof NextTicket) =>
  Reaction.make("confirmation", { from: [model], run: () => Effect.void })

const layerMailer = Layer.succeed(Mailer, { send: () => Effect.void })

const releases = {
  first: Lithair.layerHttp({
    models: [Show, Ticket],
    commands: [buyTicket],
    projections: [sales],
    reactions: [confirmation]
  }).pipe(Layer.provide([handlers, layerMailer])),
  compatible: Lithair.layerHttp({
    models: [LaterShow, CompatibleTicket],
    commands: [buyCompatible],
    reactions: [mailsOf(CompatibleTicket)]
  }).pipe(Layer.provide(compatibleHandlers)),
  next: Lithair.layerHttp({
    models: [LaterShow, NextTicket],
    commands: [buyNext],
    reactions: [mailsOf(NextTicket)]
  }).pipe(Layer.provide(nextHandlers))
}

const named = process.env.TICKETING_RELEASE as keyof typeof releases
run(releases[named], { directory: ".lithair/ticketing", path: "/api/shows", curls: [] })
