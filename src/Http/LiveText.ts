/** Writes what live queries tell as events. Readers of equal queries get the same update, so it is written once. Pure. docs/live.md. */
import { Result } from "effect"
import type { Update } from "../Live/Update.ts"
import type { Item } from "../Live/Window.ts"
import type { Problem } from "../Problem.ts"
import { nextCursor } from "./ListQuery.ts"

/** An update, as JSON without what differs from reader to reader. */
type Body = Result.Result<string, Problem>

const bodies = new WeakMap<Update, Body>()

/** The event of an update. Fails with the problem of an order that no cursor can hold. */
export const updateText = (
  query: { readonly fingerprint: string },
  update: Update,
  about: { readonly key: string | undefined; readonly staleMs: number | undefined }
): Result.Result<string, Problem> => {
  const body = bodies.get(update) ?? bodyOf(query, update)
  bodies.set(update, body)
  return Result.map(body, (text) => `{${head(about, update.index)},${text}}`)
}

/** The event that says how far the pages of a stream are. */
export const bookmarkText = (index: number, staleMs: number | undefined): string =>
  `{${head({ key: undefined, staleMs }, index)}}`

const head = (
  { key, staleMs }: { readonly key: string | undefined; readonly staleMs: number | undefined },
  index: number
): string => {
  const named = key === undefined ? "" : `"key":${JSON.stringify(key)},`
  return `${named}"index":${index}${staleMs === undefined ? "" : `,"staleMs":${Math.ceil(staleMs)}`}`
}

const bodyOf = (query: { readonly fingerprint: string }, update: Update): Body => {
  const { lastKey } = update
  const next = lastKey === undefined ? Result.succeed(null) : nextCursor(query, lastKey)
  return Result.map(next, (cursor) => `${changesOf(update)},"next":${JSON.stringify(cursor)}`)
}

const changesOf = (update: Update): string => {
  if (update._tag === "Page") return `"items":[${update.items.map((item) => `{${itemText(item)}}`).join(",")}]`
  const put = update.put.map(({ after, item }) => `{${itemText(item)},"after":${JSON.stringify(after)}}`)
  return `"put":[${put.join(",")}],"remove":${JSON.stringify(update.remove)}`
}

const itemText = ({ stamp: { id, version }, text }: Item): string =>
  `"id":${JSON.stringify(id)},"version":${version},"record":${text}`
