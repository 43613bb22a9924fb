/** Notes that tests of erasures write and erase, with a local part, and a projection that remembers all their texts. */
import { Schema } from "effect"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"

export class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.String),
  text: Model.replicate(Schema.String),
  draft: Model.local(Schema.optionalKey(Schema.String))
}) {}

export const texts = Projection.make("texts", {
  from: [Note],
  version: 1,
  key: ({ id }) => id,
  state: Schema.Array(Schema.String),
  initial: [],
  evolve: (state: ReadonlyArray<string>, { record }) => [...state, record.text]
})
