# The message dispatcher as an image: Node.js 24, production packages, no shell in the way of signals, no root.
# The packages that bring a PostgreSQL of its own to a developer's machine are optional dependencies, and stay out.
ARG NODE_IMAGE=docker.io/library/node:24-slim

# No cache mounts: with docker-compose 1.29, engines before 23 build without BuildKit.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=optional --no-audit --no-fund

FROM dependencies AS packages
# Type declarations and source maps are read by nobody at run time and would be a third of the packages; those of
# Swagger UI are served.
RUN npm prune --omit=dev --omit=optional --no-audit --no-fund \
  && find node_modules -type f -not -path '*/swagger-ui-dist/*' -regex '.*\.\(map\|d\.[cm]?ts\)' -delete

FROM dependencies AS build
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY migrations migrations
COPY src src
RUN npm run build --silent && rm dist/.tsbuildinfo

FROM ${NODE_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="message-dispatcher" \
      org.opencontainers.image.description="Sends the messages that wait in PostgreSQL to a webhook, at a steady pace" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Without APP_ENV the service would be `local`, and look for the PostgreSQL that is not in here.
ENV NODE_ENV=production APP_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY --from=build /app/dist dist
COPY config config
# By number, so that Kubernetes can tell that it is not root.
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=90s --retries=3 \
  CMD ["node", "-e", "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; const scheme = /^(true|1)$/i.test(process.env.USE_HTTPS) ? 'https' : 'http'; const port = /\\d+$/.exec(process.env.APP_PORT || '8080')[0]; fetch(`${scheme}://127.0.0.1:${port}/health`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
# Node is the first process and gets SIGTERM itself. A migration is the same image with `node dist/src/migrate.js`.
CMD ["node", "dist/src/main.js"]
