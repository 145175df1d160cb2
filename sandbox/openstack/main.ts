// Runs the sandbox on its own: `node sandbox/openstack/main.ts`. Ends cleanly on SIGTERM and SIGINT.

import { createLog } from '#common/log.ts';
import { type Config, readConfig } from './config.ts';
import { startSandbox } from './server.ts';

async function main(): Promise<void> {
  let config: Config;
  try {
    config = readConfig();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
    return;
  }
  const log = createLog({ service: 'sandbox', level: config.logLevel, directory: config.logDirectory });
  try {
    const { logLevel: _level, logDirectory: _directory, ...options } = config;
    const sandbox = await startSandbox({ ...options, log });
    log.info(
      { auth_url: sandbox.authUrl, persist_to: config.persistTo },
      'the OpenStack sandbox is listening',
    );
    const stop = () => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      sandbox.close().catch((error) => {
        log.error({ cause: error }, 'the sandbox did not close cleanly');
        process.exitCode = 1;
      });
    };
    // Under a launcher the end of its channel means that it is gone.
    process.once('disconnect', stop);
    process.on('SIGTERM', stop).on('SIGINT', stop);
  } catch (error) {
    log.fatal({ cause: error }, 'the sandbox could not start');
    process.exitCode = 1;
  }
}

await main();
