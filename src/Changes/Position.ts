/**
 * How far a follower of changes has seen the log. Pure. docs/http.md, "Changes". The text of a position is the id of an
 * event, and every node that has the log resumes after it.
 */

/** Everything up to here was seen. The order is that of the log. */
export interface Position {
  readonly index: number
  /** The last event of that entry that was seen, among those that the reader is told; absent once all of the entry was. */
  readonly ordinal?: number
  /**
   * Present until the whole first state was seen. Of that state the records up to this one were seen, and their changes
   * up to the position. Of all other records nothing was.
   */
  readonly shown?: Shown
  /** Names what the reader may read (View.ts); absent for a reader of every record. */
  readonly view?: string
}

/** The view of a position to which nobody comes back: the reader is between two views. */
export const betweenViews = "0"

/** How much of a first state was seen: that of certain models, up to a record. */
export interface Shown extends RecordKey {
  /** Names the models ({@link groupOf}). The order of a first state is that of its models, so others have another one. */
  readonly group: string
}

/** The place of a record in the order in which a first state is told: by model, then by id. */
export interface RecordKey {
  readonly model: string
  readonly id: string
}

/** Comes before all records of these models. */
export const nothingShown = (group: string): Shown => ({ group, model: "", id: "" })

/** A short name for a set of models: a hash of their names (FNV-1a). A first state is resumed with the same ones. */
export const groupOf = (models: ReadonlyArray<{ readonly name: string }>): string => {
  let hash = 0x811c9dc5
  for (const character of models
    .map(({ name }) => `${name},`)
    .sort()
    .join("")) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0
  }
  return hash.toString(36)
}

const pattern =
  /^(0|[1-9]\d{0,15})(?:\.(0|[1-9]\d{0,4}))?(?:!([0-9a-z]{1,14}))?(?:~([0-9a-z]{1,7})(?:~([A-Za-z][\w-]{0,63})~([A-Za-z0-9][\w.~-]{0,127}))?)?$/

/**
 * Writes a position: `<index>.<ordinal>`, or `<index>` for the whole entry; `!<view>` for a reader of some records only;
 * within a first state with `~<models>`, and `~<model>~<id>` once a record was seen. A node's own log adds the node before
 * it.
 */
export const formatPosition = ({ index, ordinal, shown, view }: Position, instance?: string): string => {
  const place = ordinal === undefined ? String(index) : `${index}.${ordinal}`
  const at = view === undefined ? place : `${place}!${view}`
  const whole =
    shown === undefined ? at : `${at}~${shown.group}${shown.model === "" ? "" : `~${shown.model}~${shown.id}`}`
  return instance === undefined ? whole : `${instance}:${whole}`
}

/** A text that is a position, of the log of `instance` if that is present. */
export interface ParsedPosition {
  readonly position: Position
  readonly instance: string | undefined
}

/** Reads a position; undefined if the text is none. */
export const parsePosition = (text: string): ParsedPosition | undefined => {
  const colon = text.indexOf(":")
  const instance = colon === -1 ? undefined : text.slice(0, colon)
  const [, index, ordinal, view, group, model = "", id = ""] = pattern.exec(text.slice(colon + 1)) ?? []
  if (index === undefined || instance === "") return undefined
  const at: Position = {
    index: Number(index),
    ...(ordinal === undefined ? {} : { ordinal: Number(ordinal) }),
    ...(view === undefined ? {} : { view })
  }
  return { instance, position: group === undefined ? at : { ...at, shown: { group, model, id } } }
}

/** The first entry that may hold something that was not seen. */
export const nextEntry = ({ index, ordinal }: Position): number => (ordinal === undefined ? index + 1 : index)

/** The last entry that was seen as a whole. */
export const wholeIndex = ({ index, ordinal }: Position): number => (ordinal === undefined ? index : index - 1)

/** Whether a record comes no later than another one in the order of a first state. */
export const isUpTo = (key: RecordKey, last: RecordKey): boolean =>
  key.model < last.model || (key.model === last.model && key.id <= last.id)
