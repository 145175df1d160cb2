// The gateway process.

import { createLog } from '#common/log.ts';
import { runProcess } from '#common/main.ts';
import { readConfig } from './config.ts';
import { startGateway } from './service.ts';

await runProcess(async () => {
  const config = readConfig();
  const log = createLog({ service: 'gateway', level: config.logLevel, directory: config.logDir });
  const { close } = await startGateway(config, log);
  return { log, close };
});
