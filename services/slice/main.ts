// The slice process.

import { createLog } from '#common/log.ts';
import { runProcess } from '#common/main.ts';
import { readConfig } from './config.ts';
import { startSlice } from './service.ts';

await runProcess(async () => {
  const config = readConfig();
  const log = createLog({ service: 'slice', level: config.logLevel, directory: config.logDir });
  const { close } = await startSlice(config, log);
  return { log, close };
});
