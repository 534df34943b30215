# The image: the build, the production packages and the configuration; no compiler and no sources.
# test/container/container.test.ts rehearses it line by line.

FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY plugins ./plugins
RUN npm ci --ignore-scripts && node src/cli/build.js

FROM node:24-slim AS packages
WORKDIR /packages
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
# The package carries its binary for seven platforms (24 MB); one of them runs here.
RUN find node_modules/better-sqlite3/prebuilds -type f ! -name "linux-$(node -p process.arch).node" -delete
# What it is compiled from is of no use here either.
RUN rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src

FROM node:24-slim
ENV NODE_ENV=production
ENV DATA_DIR=/data
# No signal opens a debugger. The bounds of the heap stand in src/cli/start.sh; what is set here comes after them.
ENV NODE_OPTIONS="--disable-sigusr1"
WORKDIR /app
COPY --from=packages /packages/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
COPY src/cli/holdfast.js src/cli/start.sh src/cli/start.js src/cli/warm.js src/cli/entry.js src/cli/runtime.js ./src/cli/
COPY config ./config
RUN mkdir -p /data dist/cache && chown 1000:1000 /data dist/cache
# It starts, and Node keeps what it compiled (per user); at run time nothing under /app is written.
USER 1000
RUN node src/cli/warm.js
USER root
RUN chown -R root:root dist/cache && chmod -R a+rX dist/cache
USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||7860)+'/health/live').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["sh", "src/cli/start.sh"]
