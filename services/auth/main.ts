// The auth process.

import { createLog } from '#common/log.ts';
import { runProcess } from '#common/main.ts';
import { readConfig } from './config.ts';
import { startAuth } from './service.ts';

await runProcess(async () => {
  const config = readConfig();
  const log = createLog({ service: 'auth', level: config.logLevel, directory: config.logDir });
  const { close } = await startAuth(config, log);
  return { log, close };
});
