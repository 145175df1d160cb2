// The slice process.

import { createLog } from '#common/log.ts';
import { onShutdown } from '#common/shutdown.ts';
import { readConfig } from './config.ts';
import { startSlice } from './service.ts';

const config = readConfig();
const log = createLog({ service: 'slice', level: config.logLevel, directory: config.logDir });
const slice = await startSlice(config, log);
onShutdown(log, slice.close);
