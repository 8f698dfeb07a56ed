import { expect, test } from "bun:test";
import { failureOf, unreachable } from "../../../ui/failure";
import { chatErrorText } from "../../../ui/pages/thread/error-banner";

const of = (status: number, body: string) => failureOf(status, new Headers(), body);

test.each([
  ["our words", of(409, '{"message":"no active turn to interrupt"}'), "no active turn to interrupt"],
  ["no words", { message: " ", status: 0, body: null }, "Chat request failed. Please try again."],
  ["no network", unreachable(false), "You're offline."],
  [
    "markup",
    of(500, "<!doctype html><h1>Whoops</h1>"),
    "Chat request failed due to a server response error. Please retry or start a new chat.",
  ],
])("%s", (_, failure, text) => expect(chatErrorText(failure)).toBe(text));
