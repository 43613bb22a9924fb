/** What the page shows: tasks, open and done. */
import { Schema } from "effect"
import { Model } from "lithair"

/** A task. Both lists of the page name `isDone`, so an index keeps a change of one from costing the other anything. */
export class Task extends Model.Class<Task>("Task")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    title: Model.replicate(Schema.NonEmptyString.check(Schema.isMaxLength(200))),
    isDone: Schema.Boolean
  },
  { indexes: ["isDone"] }
) {}
