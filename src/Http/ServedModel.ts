/** The parts that the endpoints of one model share. */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import { notFound, type Problem } from "../Problem.ts"
import type { Records } from "../Repository/Records.ts"
import type { Head } from "./Head.ts"
import { splitTarget } from "./Routing.ts"

/** A model and the records of this node. */
export interface ServedModel {
  readonly descriptor: Descriptor
  readonly collection: `/api/${string}`
  readonly records: Records["Service"]
  /** The instance of this node's data directory. Entity tags name it. */
  readonly instance: string
  /** Reads the id in the path of a record. */
  readonly id: (head: Head) => Result.Result<string, Problem>
  /** Reads the id in the path of a record's history. */
  readonly idOfHistory: (head: Head) => Result.Result<string, Problem>
}

/** An id that does not fit the model's schema is a 404. The path has it as it is: no letter of an id is encoded. */
export const idOf =
  ({ ids, name }: Descriptor, collection: string, ending = ""): ServedModel["id"] =>
  ({ url }) => {
    const { path } = splitTarget(url)
    const id = path.slice(collection.length + 1, path.length - ending.length)
    return ids.isId(id) ? Result.succeed(id) : Result.fail(notFound(`There is no ${name} ${id}`))
  }
