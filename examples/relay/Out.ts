/** A stream of NATS as a service of reactions. A server that is away holds nobody up: what is published fails, and is tried again. */
import { jetstream, jetstreamManager } from "@nats-io/jetstream"
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node"
import { Config, Context, Data, Effect, Layer } from "effect"

/** Nobody knows whether the stream has the message. */
export class NotPublished extends Data.TaggedError("NotPublished")<{ readonly message: string }> {}

/** How long the stream recognizes copies: longer than any pause after which a leader may publish one again. */
const recognizesMs = 24 * 60 * 60 * 1_000

const timeoutMs = 5_000

/** Publishes into the stream `orders`. */
export class Out extends Context.Service<
  Out,
  {
    /** Ends once the stream has the message on its disk. Of several with one id it keeps the first. */
    readonly publish: (subject: string, body: unknown, id: string) => Effect.Effect<void, NotPublished>
  }
>()("examples/Out") {
  static readonly layer = Layer.effect(
    Out,
    Effect.gen(function* () {
      const servers = yield* Config.String("NATS_URL")
      // It goes on trying, also the first time: nobody waits for it here.
      const connecting = connect({
        servers,
        waitOnFirstConnect: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 200
      })
      let connection: NatsConnection | undefined
      const isConnected = connecting.then((made) => {
        connection = made
      })
      // Each publication meets this failure.
      isConnected.catch(() => {})
      yield* Effect.addFinalizer(() => Effect.promise(async () => connection?.close()))
      let isMade = false
      const publish = async (subject: string, body: unknown, id: string) => {
        const connection = await connecting
        if (!isMade) {
          const manager = await jetstreamManager(connection, { timeout: timeoutMs })
          await manager.streams.add({ name: "orders", subjects: ["orders.>"], duplicate_window: nanos(recognizesMs) })
          isMade = true
        }
        await jetstream(connection).publish(subject, JSON.stringify(body), { msgID: id, timeout: timeoutMs })
      }
      return Out.of({
        publish: (subject, body, id) =>
          Effect.tryPromise({
            try: () => publish(subject, body, id),
            catch: (cause) => new NotPublished({ message: `Cannot publish ${id}: ${cause}` })
          }).pipe(
            Effect.timeoutOrElse({
              duration: 2 * timeoutMs,
              orElse: () =>
                Effect.fail(new NotPublished({ message: `Cannot publish ${id}: the server does not answer` }))
            })
          )
      })
    })
  )
}
