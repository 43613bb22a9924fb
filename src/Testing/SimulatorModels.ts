/** What the clients of a simulated cluster keep in it: registers to compare and set, accounts to move money between, notes to add, transfers to record. */
import { Schema } from "effect"
import * as Model from "../Model.ts"

export class Register extends Model.Class<Register>("Register")(
  { id: Model.id(Schema.String), value: Schema.String },
  { mode: "replicate" }
) {}

export class Account extends Model.Class<Account>("Account")(
  { id: Model.id(Schema.String), balance: Schema.Int, by: Schema.String },
  { mode: "replicate" }
) {}

/** Its id is the leader's to make. */
export class Note extends Model.Class<Note>("Note")(
  { id: Model.id(Schema.String), text: Schema.String },
  { mode: "replicate", unique: [] }
) {}

/** The record that a declared transfer leaves; `by` names the request. */
export class Transfer extends Model.Class<Transfer>("Transfer")(
  { id: Model.id(Schema.String), from: Schema.String, to: Schema.String, amount: Schema.Int, by: Schema.String },
  { mode: "replicate" }
) {}

/** It comes and goes, under few ids, so that there are many deleted ones to forget. */
export class Scrap extends Model.Class<Scrap>("Scrap")(
  { id: Model.id(Schema.String), text: Schema.String },
  { mode: "replicate" }
) {}

export const descriptors = [Account, Note, Register, Scrap, Transfer].map((model) => Model.describe(model))

export const registers: ReadonlyArray<string> = ["r1", "r2", "r3"]
export const scraps: ReadonlyArray<string> = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]
export const accounts: ReadonlyArray<string> = ["a1", "a2", "a3"]

/** The balance of every account when all are opened at once. */
export const openingBalance = 100

export const modelOf = (key: string): "Account" | "Register" => (accounts.includes(key) ? "Account" : "Register")
