# docker build -t echochamber .
# docker run --rm -v "$PWD/runs:/study/runs" echochamber study quickstart
FROM python:3.12-slim
# The engine in C is built once per machine, so the compiler stays in the image.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libgomp1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY constraints.txt ./
# For CUDA: --build-arg TORCH_INDEX=https://pypi.org/simple
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir -c constraints.txt --index-url "$TORCH_INDEX" torch
COPY . .
RUN pip install --no-cache-dir -c constraints.txt . && rm -rf /src/*
RUN useradd --create-home user && mkdir /study && chown user /study
USER user
WORKDIR /study
ENTRYPOINT ["echochamber"]
CMD ["--help"]
