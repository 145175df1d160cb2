// What `npm start` shows: in a terminal one short line per event, otherwise the services' JSON lines as they are.

import type { Plan } from './start-plan.ts';

export type StartConsole = {
  /** A line of the launcher's own. */
  say(...words: string[]): void;
  /** A line of a process. */
  line(name: string, line: string): void;
  death(name: string, how: string): void;
  welcome(plan: Plan): void;
};

const HIDDEN = new Set(['level', 'time', 'service', 'pid', 'message']);

export function createConsole(isTerminal = process.stdout.isTTY === true): StartConsole {
  const say = (...words: string[]) => console.error(`[start] ${words.join(' ')}`);
  return {
    say,
    line(name, line) {
      const shown = isTerminal ? shorten(name, line) : line;
      if (shown !== undefined) console.log(shown);
    },
    death(name, how) {
      say(`${name} ended (${how}); starting it again`);
    },
    welcome(plan) {
      say('the mesh is ready:');
      for (const { name, about } of plan.processes) console.error(`          ${name.padEnd(10)} ${about}`);
      for (const hint of plan.hints) console.error(`          ${hint}`);
    },
  };
}

// Requests that went well are too many to read along; the files in LOG_DIR have them all.
function shorten(name: string, line: string): string | undefined {
  let event: Record<string, unknown>;
  try {
    event = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return `${name.padEnd(9)} ${line}`;
  }
  const { time, level, message } = event;
  const fields = Object.entries(event)
    .filter(([key, value]) => !HIDDEN.has(key) && value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  return `${clock} ${name.padEnd(9)} ${String(level).padEnd(5)} ${String(message)}  ${fields.join(' ')}`.slice(
    0,
    400,
  );
}
