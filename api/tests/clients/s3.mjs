// A server that speaks S3, with one bucket, in a folder; says where it is. Usage: node s3.mjs FOLDER BUCKET
import S3rver from 's3rver';

const [directory, bucket] = process.argv.slice(2);
const server = new S3rver({ directory, address: '127.0.0.1', port: 0, silent: true, configureBuckets: [{ name: bucket, configs: [] }] });
console.log(JSON.stringify(await server.run()));
