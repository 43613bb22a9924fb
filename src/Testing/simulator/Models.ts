/**
 * The models of a simulated cluster: registers to compare and set, accounts to move money between, notes to add, records
 * of transfers, and scraps that come and go.
 */
import { Schema } from "effect"
import { Class, describe } from "../../Model/Class.ts"
import { id } from "../../Model/Field.ts"

export class Register extends Class<Register>("Register")(
  { id: id(Schema.String), value: Schema.String },
  { mode: "replicate" }
) {}

export class Account extends Class<Account>("Account")(
  { id: id(Schema.String), balance: Schema.Int, by: Schema.String },
  { mode: "replicate" }
) {}

/** A note. The leader makes its id. */
export class Note extends Class<Note>("Note")(
  { id: id(Schema.String), text: Schema.String },
  { mode: "replicate", unique: [] }
) {}

/** The record of a declared transfer. `by` names the request. */
export class Transfer extends Class<Transfer>("Transfer")(
  { id: id(Schema.String), from: Schema.String, to: Schema.String, amount: Schema.Int, by: Schema.String },
  { mode: "replicate" }
) {}

/** A record that comes and goes under few ids, so that there are many tombstones to forget. */
export class Scrap extends Class<Scrap>("Scrap")(
  { id: id(Schema.String), text: Schema.String },
  { mode: "replicate" }
) {}

export const descriptors = [Account, Note, Register, Scrap, Transfer].map((model) => describe(model))

export const registers: ReadonlyArray<string> = ["r1", "r2", "r3"]
export const scraps: ReadonlyArray<string> = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]
export const accounts: ReadonlyArray<string> = ["a1", "a2", "a3"]

/** The balance of every account when all are opened at once. */
export const openingBalance = 100

export const modelOf = (key: string): "Account" | "Register" => (accounts.includes(key) ? "Account" : "Register")
