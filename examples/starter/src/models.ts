/** What the nodes agree on. */
import { Schema } from "effect"
import { Model } from "lithair"

/** A task. Every node has all of them. */
export class Task extends Model.Class<Task>("Task")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  title: Schema.NonEmptyString.pipe(Model.replicate),
  done: Schema.Boolean
}) {}
