/** A reader of a live query as a client is one: it applies what comes, and has a page of ids and JSON. */
import { assert } from "@effect/vitest"
import type { Reader } from "../../src/Live/Engine.ts"
import type { Update } from "../../src/Live/Update.ts"

/** The page that a reader has. */
export interface Had {
  readonly index: number
  readonly items: ReadonlyArray<{ readonly id: string; readonly version: number; readonly text: string }>
  readonly hasNext: boolean
}

/** Applies an update as docs/live.md tells clients to. */
export const applied = (had: Had | undefined, update: Update): Had => {
  const { index, lastKey } = update
  const hasNext = lastKey !== undefined
  const itemOf = ({ stamp, text }: { stamp: { id: string; version: number }; text: string }) => ({ ...stamp, text })
  if (update._tag === "Page") return { index, hasNext, items: update.items.map(itemOf) }
  assert.isDefined(had, "a difference came before a page")
  const gone = new Set([...update.remove, ...update.put.map(({ item }) => item.stamp.id)])
  const items = had.items.filter(({ id }) => !gone.has(id))
  for (const { after, item } of update.put) {
    const at = after === null ? -1 : items.findIndex(({ id }) => id === after)
    assert.isTrue(after === null || at >= 0, `${item.stamp.id} comes after ${after}, which is not there`)
    items.splice(at + 1, 0, itemOf(item))
  }
  return { index, hasNext, items }
}

/** Reads once. Returns the page, and whether something came. */
export const readOnce = (
  reader: Reader,
  had: Had | undefined
): { readonly had: Had | undefined; readonly came: Update | undefined } => {
  const update = reader.next()
  if (update === undefined) return { had, came: undefined }
  assert.isTrue(update._tag === "Page" || update._tag === "Diff", JSON.stringify(update))
  return { had: applied(had, update as Update), came: update as Update }
}
