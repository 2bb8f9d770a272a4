/* What a tape writer cannot do without, and nothing else: a file in records of 1 MiB, zstd -1, AES-256-GCM, two threads, one file
   written in order; and back. No index, no checksums, no key envelopes: the floor that the tape engine is measured against.

   usage: tape_peer [--decrypt] [--only zstd|gcm] [--threads N] [--level L] [--sync] SOURCE TARGET

   A record is 8 bytes (stored length, plain length; the host's order), then its bytes and a tag of 16. A record that does not get
   smaller is stored as it is: both lengths are equal then. The nonce is the record's number, which is bound by it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { RECORD = 1 << 20, TAG = 16 };

static const unsigned char key[32] = "the benchmark's key, no secret.";
static int source, target, with_zstd = 1, with_gcm = 1, decrypts = 0, level = 1;
static int64_t size, records;

/* The next record to be read, where it lies, and the next one to be written. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static int64_t next, position, written;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void check(int good, const char *what) {
    if (good) return;
    fprintf(stderr, "tape_peer: %s\n", what);
    exit(1);
}

static void get(unsigned char *bytes, int64_t count, int64_t offset) {
    while (count > 0) {
        ssize_t done = pread(source, bytes, count, offset);
        if (done <= 0) fail("read");
        bytes += done, count -= done, offset += done;
    }
}

static void put(const unsigned char *bytes, int64_t count, int64_t offset) {
    while (count > 0) {
        ssize_t done = pwrite(target, bytes, count, offset);
        if (done <= 0) fail("write");
        bytes += done, count -= done, offset += done;
    }
}

static EVP_CIPHER_CTX *cipher(int encrypts) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    check(context && EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, NULL, encrypts) > 0, "no AES-256-GCM");
    return context;
}

static void set_nonce(unsigned char *nonce, int64_t number) {
    memset(nonce, 0, 12);
    memcpy(nonce, &number, sizeof number);
}

static void *writer(void *unused) {
    (void)unused;
    size_t room = ZSTD_compressBound(RECORD) + 64;
    unsigned char *plain = aligned_alloc(4096, RECORD), *packed = aligned_alloc(4096, (room + 4095) / 4096 * 4096), nonce[12];
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    EVP_CIPHER_CTX *gcm = cipher(1);
    check(plain && packed && zstd, "no memory");
    for (;;) {
        pthread_mutex_lock(&mutex);
        int64_t number = next++;
        pthread_mutex_unlock(&mutex);
        if (number >= records) break;
        int64_t from = number * RECORD;
        uint32_t lengths[2], count = size - from < RECORD ? size - from : RECORD;
        get(plain, count, from);
        unsigned char *body = packed + 8, *content = plain;
        size_t stored = count;
        if (with_zstd) {
            size_t made = ZSTD_compressCCtx(zstd, body, room - 64, plain, count, level);
            check(!ZSTD_isError(made), "zstd failed");
            if (made < count) content = body, stored = made;
        }
        lengths[0] = stored, lengths[1] = count;
        memcpy(packed, lengths, 8);
        if (with_gcm) {
            int done;
            set_nonce(nonce, number);
            check(EVP_EncryptInit_ex(gcm, NULL, NULL, NULL, nonce) > 0 && EVP_EncryptUpdate(gcm, NULL, &done, packed, 8) > 0
                      && EVP_EncryptUpdate(gcm, body, &done, content, stored) > 0
                      && EVP_EncryptFinal_ex(gcm, body + stored, &done) > 0
                      && EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, TAG, body + stored) > 0,
                  "encryption failed");
        } else {
            if (content != body) memcpy(body, content, stored);
            memset(body + stored, 0, TAG);
        }
        int64_t whole = 8 + stored + TAG;
        pthread_mutex_lock(&mutex);
        while (written != number) pthread_cond_wait(&turn, &mutex);
        int64_t at = position;
        position += whole;
        written++;
        pthread_cond_broadcast(&turn);
        pthread_mutex_unlock(&mutex);
        put(packed, whole, at);
    }
    return NULL;
}

static void *reader(void *unused) {
    (void)unused;
    size_t room = RECORD + TAG;
    unsigned char *packed = aligned_alloc(4096, room + 4096 - TAG), *plain = aligned_alloc(4096, RECORD), nonce[12], head[8];
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    EVP_CIPHER_CTX *gcm = cipher(0);
    check(packed && plain && zstd, "no memory");
    for (;;) {
        uint32_t lengths[2];
        pthread_mutex_lock(&mutex);
        if (position >= size) {
            pthread_mutex_unlock(&mutex);
            break;
        }
        int64_t number = next++, at = position + 8;
        get(head, 8, position);
        memcpy(lengths, head, 8);
        check(lengths[0] <= lengths[1] && lengths[1] <= RECORD, "a length is wrong");
        position = at + lengths[0] + TAG;
        pthread_mutex_unlock(&mutex);
        int64_t stored = lengths[0];
        get(packed, stored + TAG, at);
        if (with_gcm) {
            int done;
            set_nonce(nonce, number);
            check(EVP_DecryptInit_ex(gcm, NULL, NULL, NULL, nonce) > 0 && EVP_DecryptUpdate(gcm, NULL, &done, head, 8) > 0
                      && EVP_DecryptUpdate(gcm, packed, &done, packed, stored) > 0
                      && EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_SET_TAG, TAG, packed + stored) > 0
                      && EVP_DecryptFinal_ex(gcm, plain, &done) > 0,
                  "a tag does not fit");
        }
        if (lengths[0] == lengths[1]) {
            put(packed, stored, number * RECORD);
        } else {
            size_t made = ZSTD_decompressDCtx(zstd, plain, RECORD, packed, stored);
            check(!ZSTD_isError(made) && made == lengths[1], "a record does not decompress");
            put(plain, made, number * RECORD);
        }
    }
    return NULL;
}

int main(int count, char **words) {
    int threads = 2, syncs = 0, used = 1;
    for (; used < count && words[used][0] == '-'; used++) {
        const char *value = used + 1 < count ? words[used + 1] : "";
        if (!strcmp(words[used], "--decrypt")) decrypts = 1;
        else if (!strcmp(words[used], "--sync")) syncs = 1;
        else if (!strcmp(words[used], "--threads")) threads = atoi(value), used++;
        else if (!strcmp(words[used], "--level")) level = atoi(value), used++;
        else if (!strcmp(words[used], "--only")) with_zstd = !strcmp(value, "zstd"), with_gcm = !strcmp(value, "gcm"), used++;
        else break;
    }
    if (count - used != 2 || threads < 1 || threads > 64) {
        fprintf(stderr, "usage: tape_peer [--decrypt] [--only zstd|gcm] [--threads N] [--level L] [--sync] SOURCE TARGET\n");
        return 64;
    }
    struct stat facts;
    source = open(words[used], O_RDONLY);
    target = open(words[used + 1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (source < 0 || target < 0 || fstat(source, &facts)) fail(words[source < 0 ? used : used + 1]);
    size = facts.st_size;
    records = (size + RECORD - 1) / RECORD;
    pthread_t thread[64];
    for (int n = 0; n < threads; n++)
        if (pthread_create(&thread[n], NULL, decrypts ? reader : writer, NULL)) fail("thread");
    for (int n = 0; n < threads; n++) pthread_join(thread[n], NULL);
    if (syncs && fdatasync(target)) fail("sync");
    return 0;
}
