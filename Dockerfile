# The console as a container. Telemetry, records and live events go where the environment says (see docker-compose.yml);
# without it everything is embedded in /data.
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels ./exporters .

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 opsconsole && install -d -o opsconsole /data
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels opsconsole && rm -rf /wheels
USER opsconsole
ENV OPSCONSOLE_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz/ready', timeout=2)"
CMD ["opsconsole", "serve", "--host", "0.0.0.0", "--port", "8000"]
