// Watches over the functions that an attack on a library stands on: what they are before the library is loaded, and what
// they are at the end. It writes what has changed, and a file by the function that is in place then.
"use strict";

const told = process.env.CRISOL_GUARD;
delete process.env.CRISOL_GUARD;
// Children of the attack have a beginning and an end of their own, which say nothing of it.
if (told) {
  const [control, report, nonce] = told.split(":");
  const fs = require("node:fs");
  const { openSync, writeSync, closeSync } = fs;
  const { stringify } = JSON;
  const { getOwnPropertyNames, getOwnPropertyDescriptor } = Object;
  const watched = {
    process,
    console,
    JSON,
    Object,
    Reflect,
    Promise,
    "String.prototype": String.prototype,
    "Array.prototype": Array.prototype,
    "RegExp.prototype": RegExp.prototype,
    "Function.prototype": Function.prototype,
    "stdout": process.stdout,
    "WriteStream.prototype": Object.getPrototypeOf(process.stdout),
    globalThis,
  };
  for (const name of ["fs", "fs/promises", "child_process", "module", "vm", "path", "net", "http", "util", "assert", "timers", "os"]) {
    watched[name] = require(`node:${name}`);
  }
  const functions = (object) => {
    const found = new Map();
    for (const name of getOwnPropertyNames(object)) {
      const value = getOwnPropertyDescriptor(object, name)?.value;
      if (typeof value === "function") found.set(name, value);
    }
    return found;
  };
  const before = Object.entries(watched).map(([name, object]) => [name, object, functions(object)]);
  process.on("exit", () => {
    const changed = [];
    for (const [name, object, known] of before) {
      const now = functions(object);
      for (const [key, value] of known) if (now.get(key) !== value) changed.push(`${name}.${key}`);
    }
    try {
      fs.writeFileSync(control, nonce);
    } catch {
      // That it is missing tells enough.
    }
    const file = openSync(report, "wx");
    writeSync(file, stringify({ nonce, changed }));
    closeSync(file);
  });
}
