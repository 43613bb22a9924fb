/** The refusals of backup, restore and recovery: what was asked cannot be done, and nothing was changed. */
import { Schema } from "effect"

/** What was asked for cannot be done. Nothing was changed. The message says what was found, and what to do. */
export class BackupRefused extends Schema.TaggedError<BackupRefused>()("BackupRefused", { message: Schema.String }) {}
