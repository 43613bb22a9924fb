/** Reads an answer that is a stream of events, as a client does. */
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Sse } from "effect/encoding"
import { HttpClient, type HttpClientRequest } from "effect/http"

/** One event, with its data from JSON. The test says what shape that has. */
export interface Told<Data> {
  readonly id: string | undefined
  readonly event: string
  readonly data: Data
}

/** The events of a stream, as they come. Fails the test if the answer is no stream. */
export const eventsOf = <Data>(
  request: HttpClientRequest.HttpClientRequest
): Stream.Stream<Told<Data>, unknown, HttpClient.HttpClient> =>
  Stream.unwrap(
    Effect.map(HttpClient.execute(request), (response) => {
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers["content-type"], "text/event-stream")
      return response.stream.pipe(Stream.decodeText, Stream.pipeThroughChannel(Sse.decode()))
    })
  ).pipe(Stream.map(({ data, event, id }) => ({ id, event, data: JSON.parse(data) })))
