// The gateway process.

import { createLog } from '#common/log.ts';
import { onShutdown } from '#common/shutdown.ts';
import { readConfig } from './config.ts';
import { startGateway } from './service.ts';

const config = readConfig();
const log = createLog({ service: 'gateway', level: config.logLevel, directory: config.logDir });
const gateway = await startGateway(config, log);
onShutdown(log, gateway.close);
