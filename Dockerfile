# One image for every process; docker-compose.yml says which one runs. TypeScript runs as it is: nothing to build.
FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The image brings its own Node, and PostgreSQL is a service of its own: neither comes from npm here.
RUN npm ci --omit=dev --omit=optional && npm cache clean --force

FROM node:26-slim
WORKDIR /app
ENV NODE_ENV=production ENVIRONMENT=production HOST=0.0.0.0 NODE_COMPILE_CACHE=/tmp/node-compile-cache
RUN mkdir -p /var/log/pucp-orchestrator /var/lib/pucp-orchestrator \
  && chown node:node /var/log/pucp-orchestrator /var/lib/pucp-orchestrator
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY proto ./proto
COPY common ./common
COPY engine ./engine
COPY services ./services
COPY gateway ./gateway
COPY sandbox ./sandbox
USER node
CMD ["node", "gateway/main.ts"]
