// The openstack process.

import { createLog } from '#common/log.ts';
import { runProcess } from '#common/main.ts';
import { readConfig } from './config.ts';
import { startOpenstack } from './service.ts';

await runProcess(async () => {
  const config = readConfig();
  const log = createLog({ service: 'openstack', level: config.logLevel, directory: config.logDir });
  const { close } = await startOpenstack(config, log);
  return { log, close };
});
