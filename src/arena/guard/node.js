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
  const { getOwnPropertyNames, getOwnPropertyDescriptor, getPrototypeOf } = Object;
  const { cwd } = process;
  const begun = cwd();
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
  const inherits = (object, key) => typeof getPrototypeOf(object)?.[key] === "function";
  process.on("exit", () => {
    const changed = [];
    for (const [name, object, known] of before) {
      const now = functions(object);
      for (const [key, value] of known) if (now.get(key) !== value) changed.push(`${name}.${key}`);
      // A function of the object's own comes before the one that it inherits.
      for (const key of now.keys()) if (!known.has(key) && inherits(object, key)) changed.push(`${name}.${key}`);
    }
    // What the attack writes by a relative path would stand elsewhere.
    let is_moved = true;
    try {
      is_moved = cwd() !== begun;
    } catch {
      // It is gone.
    }
    if (is_moved) changed.push("the working directory");
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
