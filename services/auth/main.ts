// The auth process.

import { createLog } from '#common/log.ts';
import { onShutdown } from '#common/shutdown.ts';
import { readConfig } from './config.ts';
import { startAuth } from './service.ts';

const config = readConfig();
const log = createLog({ service: 'auth', level: config.logLevel, directory: config.logDir });
const auth = await startAuth(config, log);
onShutdown(log, auth.close);
